"""Bits per byte of held-out documents, as the packed model computes them on a device.

It knows documents, the chat template and logits; it does not know how a model is trained. Each
document begins with the zero state; a long one is cut after MAX_TOKENS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.device import Session
from edge_sdk.errors import UnsupportedOperation
from edge_sdk.model_file import Model
from edge_sdk.training.corpus import Document

MAX_TOKENS = 512


@dataclass(frozen=True)
class Spelt:
    """A document as ids, which of them are an answer (or plain text), and their bytes."""

    source: str
    chat: bool
    ids: list[int]
    bot: list[bool]
    text_bytes: int
    bot_bytes: int


def spell(document: Document, model: Model) -> Spelt:
    """The document in the model's chat template; cut between parts where it grows too long."""
    template, tokenizer = model.chat_template, model.tokenizer
    ids: list[int] = []
    bot: list[bool] = []
    text_bytes = bot_bytes = 0

    def mark(text: str, of_bot: bool) -> None:
        for part in tokenizer.split_control(text):
            new = [part] if isinstance(part, int) else tokenizer.encode(part)
            ids.extend(new)
            bot.extend([of_bot] * len(new))

    for at, part in enumerate(document.parts):
        of_bot = at % 2 == 1 or not document.chat
        own = tokenizer.encode(part)
        room = MAX_TOKENS - len(ids)
        if document.chat and room < len(own) + 2 and ids:
            break
        kept = own[: max(room, 0)]
        said = part if len(kept) == len(own) else tokenizer.decode(kept)
        prefix, suffix = template.assistant if of_bot else template.user
        if document.chat:
            mark(prefix, False)
        ids.extend(kept)
        bot.extend([of_bot] * len(kept))
        if document.chat:
            mark(suffix, of_bot)
        size = len(said.encode("utf-8"))
        text_bytes += size
        bot_bytes += size if of_bot else 0
    return Spelt(document.source, document.chat, ids, bot, text_bytes, bot_bytes)


Losses = Callable[[Sequence[int]], npt.NDArray[np.float64]]
"""Nats of every id but the first, float64 [n - 1], from the zero state."""


def session_losses(session: Session) -> Losses:
    """The losses that a session's logits give; raises UnsupportedOperation on boards."""

    def losses(ids: Sequence[int]) -> npt.NDArray[np.float64]:
        session.reset()
        logits = session.logits(list(ids[:-1])).astype(np.float64)
        top = logits.max(-1)
        total = top + np.log(np.exp(logits - top[:, None]).sum(-1))
        return np.asarray(total - logits[np.arange(len(ids) - 1), list(ids[1:])])

    return losses


def bits_per_byte(
    documents: Iterable[Spelt], losses: Losses, tell: Callable[[int], None] | None = None
) -> dict[str, dict[str, float]]:
    """By source: `all`, over every byte, and `bot`, over answers (plain text: the same bytes).

    The very first id of a document has nothing before it and is left out of both.
    """
    sums: dict[str, list[float]] = {}
    for number, spelt in enumerate(documents):
        if len(spelt.ids) < 2:
            continue
        nats = losses(spelt.ids)
        own = sums.setdefault(spelt.source, [0.0, 0.0, 0.0, 0.0])
        mask = np.array(spelt.bot[1:])
        for at, value in enumerate(
            (float(nats.sum()), spelt.text_bytes, float(nats[mask].sum()), spelt.bot_bytes)
        ):
            own[at] += value
        if tell is not None:
            tell(number + 1)
    scale = math.log(2)
    return {
        source: {"all": own[0] / scale / max(own[1], 1), "bot": own[2] / scale / max(own[3], 1)}
        for source, own in sorted(sums.items())
    }


def choose(documents: Sequence[Document], each: int) -> list[Document]:
    """The first `each` documents of every source."""
    taken: dict[str, int] = {}
    kept = []
    for document in documents:
        taken[document.source] = taken.get(document.source, 0) + 1
        if taken[document.source] <= each:
            kept.append(document)
    return kept


def require_logits(session: Session) -> None:
    """Raise UnsupportedOperation, in one sentence, where a device gives no logits."""
    try:
        session.logits([0])
    except UnsupportedOperation as error:
        raise UnsupportedOperation(
            "bits per byte need all logits, which this device does not return.",
            hint="use --device cpu, or leave --data out.",
        ) from error
