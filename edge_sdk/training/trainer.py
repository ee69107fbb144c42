"""The training loop: schedule by the clock, two stages, validation, checkpoints, a clean stop.

It knows one model, one device and two streams of windows; it does not know files or text.
"""
# mypy: allow-subclassing-any

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from edge_sdk.errors import EdgeError
from edge_sdk.training.journal import Journal
from edge_sdk.training.model import LanguageModel
from edge_sdk.training.recipe import Recipe
from edge_sdk.training.validation import BitsPerByte, Loss, bits_per_byte
from edge_sdk.training.windows import Batch, RandomWindows, ValidationWindows
from edge_sdk.training.workers import Workers

LOG_STEPS = 20
SAY_SECONDS = 15.0


@dataclass(frozen=True)
class Data:
    """What the loop reads: windows of both stages and the held-out ones."""

    stage1: RandomWindows
    stage2: RandomWindows
    validation: ValidationWindows | None
    """None in processes that do not lead."""


@dataclass
class Progress:
    """How far a run is: steps, tokens and seconds so far, and its last figures."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loss: float | None = None
    interrupted: bool = False
    bits_per_byte: BitsPerByte = field(default_factory=dict)


class LossModule(nn.Module):
    """A model's loss as a module, which compilers and several processes ask for."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, ids: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See LanguageModel.loss."""
        return self.model.loss(ids, targets, mask)


class Trainer:
    """Trains `model` in place on `device`."""

    def __init__(
        self,
        recipe: Recipe,
        model: LanguageModel,
        device: torch.device,
        journal: Journal,
        workers: Workers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recipe = recipe
        self._model = model
        self._device = device
        self._journal = journal
        self._workers = workers
        self._clock = clock
        self._rows = recipe.rows_of(workers.size)
        compiled = device.type == "cuda"
        module = LossModule(model)
        self._loss: Loss = torch.compile(module, dynamic=False) if compiled else module
        self._shared_loss = workers.share(self._loss)
        self._optimiser = _optimiser(model, recipe, fused=compiled)

    def prepare(self) -> None:
        """Compile the graph on made-up ids, so that compilation is not counted as training."""
        shape = (self._rows, self._recipe.context)
        ids = torch.full(shape, 4, dtype=torch.int64, device=self._device)
        mask = torch.ones(shape, dtype=torch.uint8, device=self._device)
        loss, _ = self._shared_loss(ids, ids.clone(), mask)
        loss.backward()
        self._optimiser.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def run(
        self,
        data: Data,
        minutes: float,
        save: Callable[[], None],
        stopped: Callable[[], bool],
    ) -> Progress:
        """Train until `minutes` have passed or `stopped()`; `save` is called at every validation.

        The model is saved before this returns. Raises EdgeError if the loss is not finite.
        """
        recipe, total = self._recipe, minutes * 60.0
        done = Progress()
        start, said, validated = self._clock(), 0.0, 0
        while True:
            done.seconds, done.interrupted = self._workers.agree(self._clock() - start, stopped())
            part = done.seconds / total
            if part >= 1.0 or done.interrupted:
                break
            if part * recipe.validations >= validated + 1:
                validated = int(part * recipe.validations)
                self._check(data, done, save)
            batch = (data.stage2 if recipe.in_stage2(part) else data.stage1).draw()
            loss = self._step(batch, recipe.rate(part, done.steps), recipe.decay(part))
            done.steps += 1
            done.tokens += batch.ids.numel() * self._workers.size
            if done.steps % LOG_STEPS == 0:
                self._note(done, float(loss), part)
                if done.seconds - said >= SAY_SECONDS:
                    said = done.seconds
                    self._journal.say(_sentence(done, total))
        if self._workers.leads:
            save()
        if not done.interrupted:
            self._check(data, done, save=None)
        return done

    def _step(self, batch: Batch, rate: float, decay: float) -> torch.Tensor:
        matrices, rest = self._optimiser.param_groups
        matrices["lr"] = rest["lr"] = rate
        matrices["weight_decay"] = decay
        loss, _ = self._shared_loss(batch.ids, batch.targets, batch.mask)
        loss.backward()
        nn.utils.clip_grad_norm_(self._model.parameters(), self._recipe.clip)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def _note(self, done: Progress, loss: float, part: float) -> None:
        if not math.isfinite(loss):
            raise EdgeError(
                f"training diverged: the loss is {loss} at step {done.steps}.",
                hint="the last checkpoint is kept; lower the recipe's peak_rate and train again.",
            )
        done.loss = loss
        self._journal.record(
            "step",
            step=done.steps,
            seconds=round(done.seconds, 2),
            tokens=done.tokens,
            loss=round(loss, 5),
            rate=self._recipe.rate(part, done.steps - 1),
            stage=2 if self._recipe.in_stage2(part) else 1,
        )

    def _check(self, data: Data, done: Progress, save: Callable[[], None] | None) -> None:
        """Save first, so that nothing in validation can cost the weights; then validate."""
        if data.validation is None:
            return
        if save:
            save()
        done.bits_per_byte = bits_per_byte(self._loss, data.validation)
        self._journal.record(
            "validation",
            step=done.steps,
            seconds=round(done.seconds, 2),
            tokens=done.tokens,
            bits_per_byte=done.bits_per_byte,
        )
        shown = ", ".join(
            f"{k} {v.get('bot', v['all']):.3f}" for k, v in done.bits_per_byte.items()
        )
        self._journal.say(f"Validation, bits per byte (answers of chats): {shown}.")


def _optimiser(model: LanguageModel, recipe: Recipe, *, fused: bool) -> torch.optim.AdamW:
    matrices = model.ternary_weights()
    known = {id(weight) for weight in matrices}
    rest = [weight for weight in model.parameters() if id(weight) not in known]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=recipe.peak_rate, betas=recipe.betas, eps=recipe.epsilon, fused=fused
    )


def _sentence(done: Progress, total: float) -> str:
    speed = done.tokens / max(done.seconds, 1e-9)
    return (
        f"{done.seconds:.0f} of {total:.0f} s, step {done.steps}, loss {done.loss or 0.0:.3f}, "
        f"{done.tokens / 1e6:.1f} M tokens, {speed / 1e3:.0f} k tokens/s."
    )
