"""One whole training job: corpus to vocabulary to tokens to model to files in one folder.

It knows the order of the steps and the names of the files; each step lives in its own module.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from edge_sdk.errors import DeviceNotFound, EdgeError, OutOfMemory, UsageError
from edge_sdk.training import export, samples
from edge_sdk.training.corpus import Corpus, load_corpus
from edge_sdk.training.interrupt import Interrupt
from edge_sdk.training.journal import Journal
from edge_sdk.training.model import LanguageModel
from edge_sdk.training.recipe import Recipe
from edge_sdk.training.tokens import TokenDocument, join, mix, tokenise
from edge_sdk.training.trainer import Data, Trainer
from edge_sdk.training.vocabulary import Vocabulary
from edge_sdk.training.windows import RandomWindows, ValidationWindows

CPU_LIMIT = 2_000_000
"""Parameters above which training on a CPU would take days."""
VOCABULARY_TEXT = 40_000_000
"""Characters that the vocabulary is learned from; more changes few of its entries."""
WORKERS = 14
"""Most processes that tokenise; more do not shorten the set-up, which waits for the compiler."""


@dataclass(frozen=True)
class Files:
    """Where a job puts its results."""

    folder: Path
    name: str

    @property
    def checkpoint(self) -> Path:
        """Folder in the published layout."""
        return self.folder / "checkpoint"

    @property
    def packed(self) -> Path:
        """The packed model."""
        return self.folder / f"{self.name}.edge"


def train_model(
    recipe: Recipe,
    data: Path,
    out: Path,
    minutes: float,
    device: str = "auto",
    say: Callable[[str], None] = print,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Run a job; returns its figures and paths, ready for JSON.

    `minutes` counts training with its validations, not the set-up before it. On Ctrl+C or SIGTERM
    the model so far is saved and packed. Raises EdgeError in its many forms.
    """
    if not minutes > 0:
        raise UsageError(
            f"--minutes is {minutes}; expected more than 0.",
            hint="leave it out to use the default.",
        )
    if recipe.seed < 0:
        raise UsageError(
            f"--seed is {recipe.seed}; expected 0 or more.",
            hint="leave it out to use the default.",
        )
    started = time.monotonic()
    where = choose_device(device, recipe)
    files = Files(out, recipe.name)
    try:
        with Journal(out / "log.jsonl", say) as journal:
            return _run(recipe, data, files, minutes, where, journal, clock, started)
    except torch.cuda.OutOfMemoryError as error:
        raise OutOfMemory(
            f"the GPU ran out of memory training {recipe.name!r} with {recipe.batch_tokens} "
            "tokens a step.",
            hint="free the GPU from other programs, or use a smaller recipe.",
        ) from error
    except OSError as error:
        raise EdgeError(
            f"training stopped because a file could not be read or written: {error}.",
            hint=f"check that {data} is readable and that {out} is a folder with free space.",
        ) from error


def choose_device(name: str, recipe: Recipe) -> torch.device:
    """`auto`, `cpu` or `cuda[:n]` as a torch device; raises DeviceNotFound or UsageError."""
    kind = name.split(":")[0]
    if kind not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"--device is {name!r}; expected auto, cpu, cuda or cuda:<number>.",
            hint="leave it out to use the first GPU.",
        )
    if kind != "cpu" and torch.cuda.is_available():
        where = torch.device("cuda:0" if name in ("auto", "cuda") else name)
        if where.index < torch.cuda.device_count():
            torch.cuda.set_device(where)
            return where
    if kind == "cuda":
        raise DeviceNotFound(
            f"torch {torch.__version__} sees no device {name!r} on this machine.",
            hint="check the driver with nvidia-smi, or train tern-nano with --device cpu.",
        )
    if recipe.shape.parameters > CPU_LIMIT:
        raise DeviceNotFound(
            f"the recipe {recipe.name!r} ({recipe.shape.parameters / 1e6:.1f} M parameters) needs "
            "a CUDA GPU, and training would run on the CPU here.",
            hint="use a machine with a CUDA GPU, or --recipe tern-nano.",
        )
    return torch.device("cpu")


def _run(
    recipe: Recipe,
    data: Path,
    files: Files,
    minutes: float,
    device: torch.device,
    journal: Journal,
    clock: Callable[[], float],
    started: float,
) -> dict[str, Any]:
    torch.manual_seed(recipe.seed)
    journal.say(f"Training {recipe.name} on {_name(device)}; reading {data}.")
    corpus = load_corpus(data, recipe.personas, recipe.persona_name)
    for note in corpus.notes:
        journal.say(note)
    vocabulary = Vocabulary.train(_vocabulary_text(corpus), recipe.shape.vocabulary)
    shape = replace(recipe.shape, vocabulary=len(vocabulary))
    export.write_surroundings(files.checkpoint, shape, vocabulary)
    vocabulary.save(files.folder / "tokenizer.json")
    journal.say(f"Vocabulary of {len(vocabulary)} entries after {_since(started)} s; tokenising.")
    with ThreadPoolExecutor(max_workers=1) as background:
        # Other processes tokenise while this one compiles.
        tokens = background.submit(_tokenise, corpus, files)
        model = LanguageModel(shape, torch.bfloat16 if device.type == "cuda" else torch.float32)
        trainer = Trainer(recipe, model.to(device), device, journal, clock)
        trainer.prepare()
        windows = _windows(recipe, tokens, device)
    set_up = _since(started)
    _record_start(journal, recipe, corpus, windows, minutes, device, set_up)
    journal.say(
        f"Set-up took {set_up} s; training {shape.parameters / 1e6:.2f} M parameters on "
        f"{windows.stage1.tokens / 1e6:.1f} M tokens for {minutes:g} minutes."
    )

    def save() -> None:
        arrays = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
        export.write_safetensors(files.checkpoint / "model.safetensors", arrays)
        journal.record("checkpoint", path=str(files.checkpoint))

    with Interrupt() as interrupt:
        done = trainer.run(windows, minutes, save, lambda: interrupt.requested)
    result = {
        **asdict(done),
        "recipe": recipe.name,
        "seed": recipe.seed,
        "parameters": shape.parameters,
        "set_up_seconds": set_up,
        "tokens_per_second": round(done.tokens / max(done.seconds, 1e-9)),
        "device": _name(device),
        "peak_memory_bytes": _peak_memory(device),
        "checkpoint": str(files.checkpoint),
        "packed": str(files.packed),
    }
    journal.record("end", **result)
    try:
        result["packed_bytes"] = export.pack(files.checkpoint, files.packed)
        journal.say(f"Wrote {files.packed} ({result['packed_bytes'] / 1e6:.2f} MB).")
    finally:
        # Even if packing fails the weights are safe, and the answers tell what they are worth.
        if not done.interrupted:
            answers = samples.take_samples(model, vocabulary, recipe.seed)
            export.write_json(files.folder / "samples.json", answers)
    return result


def _vocabulary_text(corpus: Corpus) -> Iterator[str]:
    """Every n-th training document, so that no source is left out and the text stays small."""
    size = sum(len(part) for document in corpus.train for part in document.parts)
    every = max(1, round(size / VOCABULARY_TEXT))
    return (part for document in corpus.train[::every] for part in document.parts)


def _tokenise(corpus: Corpus, files: Files) -> tuple[list[TokenDocument], list[TokenDocument]]:
    path = files.checkpoint / "tokenizer.json"
    workers = min(WORKERS, max(1, (os.cpu_count() or 1) - 2))
    return tokenise(corpus.train, path, workers), tokenise(corpus.validation, path, 1)


def _windows(
    recipe: Recipe,
    tokens: Future[tuple[list[TokenDocument], list[TokenDocument]]],
    device: torch.device,
) -> Data:
    train, held_out = tokens.result()
    rows, context, seed = recipe.rows, recipe.context, recipe.seed
    return Data(
        RandomWindows(join(train, seed), rows, context, device, seed),
        RandomWindows(mix(train, recipe), rows, context, device, seed + 1),
        ValidationWindows(held_out, rows, context, device),
    )


def _record_start(
    journal: Journal,
    recipe: Recipe,
    corpus: Corpus,
    windows: Data,
    minutes: float,
    device: torch.device,
    set_up: float,
) -> None:
    journal.record(
        "start",
        recipe=asdict(recipe),
        minutes=minutes,
        shards=[asdict(shard) for shard in corpus.shards],
        notes=corpus.notes,
        train_documents=len(corpus.train),
        validation_documents=len(corpus.validation),
        stage1_tokens=windows.stage1.tokens,
        stage2_tokens=windows.stage2.tokens,
        device=_name(device),
        torch=torch.__version__,
        set_up_seconds=set_up,
    )


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _peak_memory(device: torch.device) -> int | None:
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None


def _since(started: float) -> float:
    return round(time.monotonic() - started, 1)
