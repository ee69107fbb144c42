"""Asks a model every prompt and counts what passes.

It knows Chat and the prompts; it does not know training text or how results are printed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edge_sdk.chat import Chat
from edge_sdk.device import Session
from edge_sdk.evaluation.checks import invented
from edge_sdk.evaluation.prompts import CATEGORIES, Prompt
from edge_sdk.sampling import Sampler

MAX_TOKENS = 256
STORY_SEEDS = (1, 2)
STORY_TEMPERATURE = 0.6

Tell = Callable[[int, int], None]
"""Called with the number of prompts done and of all."""


def evaluate(
    session: Session, prompts: Sequence[Prompt], temperature: float = 0.0, tell: Tell | None = None
) -> dict[str, Any]:
    """Scores by category and overall, the answers, and stories to read; ready for JSON.

    The session is reset for every prompt. An answer that the length limit cut counts as failed.
    """
    answers = []
    for at, prompt in enumerate(prompts):
        answers.append(_ask(session, prompt, temperature))
        if tell is not None:
            tell(at + 1, len(prompts))
    passed = [answer for answer in answers if not answer["fault"]]
    said = [turn for answer in answers for turn in answer["turns"]]
    telemetry = [answer for answer in answers if answer["category"] == "telemetry"]
    return {
        "prompts": len(prompts),
        "temperature": temperature,
        "overall": _share(len(passed), len(answers)),
        "categories": _by_category(answers),
        "answers": len(said),
        "stop_rate": _share(sum(turn["stop"] == "stop" for turn in said), len(said)),
        "telemetry_prompts": len(telemetry),
        "invented_figures": sum(bool(answer["invented"]) for answer in telemetry),
        "results": answers,
    }


def stories(session: Session, prompts: Sequence[Prompt]) -> list[dict[str, str]]:
    """Two sampled stories for each prompt of that category, for a person to read."""
    told = []
    for prompt in prompts:
        if prompt.category == "story":
            for seed in STORY_SEEDS:
                sampler = Sampler(temperature=STORY_TEMPERATURE, seed=seed)
                chat = Chat(session, sampling=sampler, max_tokens=MAX_TOKENS, status=False)
                told.append(
                    {"prompt": prompt.turns[0], "story": "".join(chat.ask(prompt.turns[0]))}
                )
    return told


def _ask(session: Session, prompt: Prompt, temperature: float) -> dict[str, Any]:
    line = prompt.readings.line()
    chat = Chat(
        session,
        sampling=Sampler(temperature=temperature, seed=0),
        max_tokens=MAX_TOKENS,
        status=(lambda speed: line) if line else False,
    )
    turns = []
    for text in prompt.turns:
        answer = "".join(chat.ask(text)).strip()
        turns.append({"user": text, "model": answer, "stop": chat.stats.stop_reason})
    last = turns[-1]
    stopped = last["stop"] == "stop"
    return {
        "category": prompt.category,
        "status": line,
        "turns": turns,
        "fault": prompt.check.fault(last["model"] or "", stopped=stopped),
        "invented": invented(last["model"] or "", line, *prompt.turns),
    }


def _by_category(answers: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | int]]:
    scores: dict[str, dict[str, float | int]] = {}
    for category in CATEGORIES:
        own = [answer for answer in answers if answer["category"] == category]
        passed = sum(not answer["fault"] for answer in own)
        scores[category] = {
            "passed": passed, "prompts": len(own), "score": _share(passed, len(own)),
        }  # fmt: skip
    return scores


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
