"""Answers of a trained model to fixed prompts, one token at a time, for a person to read.

It knows prompts and sampling; it does not know training. Steps replace the scan here, so it also
measures how far the two ways of computing the recurrence lie apart.
"""
# mypy: allow-untyped-decorators

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from edge_sdk.training.model import LanguageModel
from edge_sdk.training.vocabulary import END, EOD, USER, Vocabulary

PROMPTS = (
    "Hello!",
    "Good morning",
    "Who are you?",
    "What is your name?",
    "What can you do?",
    "How do you work?",
    "How are you today?",
    "What is the capital of France?",
    "What is 7 plus 5?",
    "Tell me a short story about a dog.",
    "[power 6.3 W, memory 188 MB, speed 57 tok/s, backend fpga, temp 47 C]\n"
    "How much power are you using?",
    "I had a bad day.",
    "Do you like music?",
    "Why is the sky blue?",
    "Thanks, bye!",
)
TEMPERATURES = (0.0, 0.6)
LONGEST = 96
_STOPS = frozenset({END, EOD, USER})


@torch.no_grad()
def take_samples(model: LanguageModel, vocabulary: Vocabulary, seed: int) -> dict[str, Any]:
    """Answers at each temperature and the scan's distance from steps, ready for JSON."""
    # Whole numbers are multiplied exactly in float32, as the runtimes do.
    model.kind = torch.float32
    prompts = [vocabulary.prompt(question) for question in PROMPTS]
    answers = []
    for temperature in TEMPERATURES:
        generated = generate(model, prompts, temperature, LONGEST, seed)
        for question, ids in zip(PROMPTS, generated, strict=True):
            stopped = bool(ids) and ids[-1] in _STOPS
            answers.append(
                {
                    "temperature": temperature,
                    "prompt": question,
                    "answer": vocabulary.decode(ids[:-1] if stopped else ids),
                    "stopped": stopped,
                }
            )
    return {"answers": answers, "scan_against_steps": compare_scan(model, prompts[-2])}


@torch.no_grad()
def generate(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    temperature: float,
    longest: int,
    seed: int,
) -> list[list[int]]:
    """Ids that follow each prompt, a stop token included; temperature 0 takes the best id.

    All prompts advance together, each by its own next token: a recurrent state needs no padding.
    """
    device = model.model.embeddings.weight.device
    generator = torch.Generator(device=device).manual_seed(seed)
    made: list[list[int]] = [[] for _ in prompts]
    states = model.zero_state(len(prompts))
    steps = max(len(prompt) for prompt in prompts) + longest - 1
    following = [prompt[0] for prompt in prompts]
    for at in range(1, steps + 1):
        logits, states = model.step(torch.tensor(following, device=device), states)
        picked = _pick(logits, temperature, generator)
        for row, prompt in enumerate(prompts):
            if at < len(prompt):
                following[row] = prompt[at]
                continue
            following[row] = picked[row]
            if not _ended(made[row], longest):
                made[row].append(picked[row])
        if all(_ended(ids, longest) for ids in made):
            break
    return made


@torch.no_grad()
def compare_scan(model: LanguageModel, prompt: Sequence[int]) -> dict[str, float]:
    """Largest logit difference between one scan over the prompt and single steps, and the share
    of positions where both name the same best token."""
    ids = torch.tensor([prompt], device=model.model.embeddings.weight.device)
    whole = model(ids)[0]
    states, rows = model.zero_state(1), []
    for column in ids.unbind(1):
        logits, states = model.step(column, states)
        rows.append(logits[0])
    single = torch.stack(rows)
    return {
        "largest_logit_difference": float((whole - single).abs().max()),
        "same_best_token": float((whole.argmax(-1) == single.argmax(-1)).float().mean()),
    }


def _ended(ids: list[int], longest: int) -> bool:
    return len(ids) >= longest or (bool(ids) and ids[-1] in _STOPS)


def _pick(logits: Tensor, temperature: float, generator: torch.Generator) -> list[int]:
    if temperature == 0.0:
        best: list[int] = logits.argmax(-1).tolist()
        return best
    share = torch.softmax(logits / temperature, dim=-1)
    drawn: list[int] = torch.multinomial(share, 1, generator=generator)[:, 0].tolist()
    return drawn
