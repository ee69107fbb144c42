"""A session without a device whose state is an exact function of the ids fed.

It knows the Session protocol; it computes no model. Two sessions that were fed the same ids have
equal states, and others practically never: four running sums, each modulo a prime below 2 ** 24.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from edge_sdk.chat import Chat
from edge_sdk.chat_template import ChatTemplate
from edge_sdk.device import Cancelled, Candidates, Device, Progress, State
from edge_sdk.errors import ModelRejected, UsageError
from edge_sdk.model_file import Model
from edge_sdk.pretokenise import BYTE_TO_CHAR
from edge_sdk.sampling import Sampler
from edge_sdk.telemetry import Telemetry
from edge_sdk.tokenizer import Tokenizer

CONTROL = ["<|eod|>", "<|end|>", "<|user|>", "<|bot|>"]
MARKED = ChatTemplate(
    user=("<|user|>", ""),
    assistant=("<|bot|>", "<|end|>"),
    stop=("<|end|>", "<|eod|>", "<|user|>"),
)
GREEDY = Sampler(temperature=0.0)
_PRIMES = np.array([16777213, 16777199, 16777183, 16777153], dtype=np.int64)
_FACTORS = np.array([31, 257, 65537, 1000003], dtype=np.int64)


def byte_tokenizer(merges: Sequence[tuple[str, str]] = ()) -> Tokenizer:
    """Byte-level: four control tokens, a piece for each byte (id 4 + byte), and `merges`."""
    vocab = {text: index for index, text in enumerate(CONTROL)}
    vocab |= {chr(BYTE_TO_CHAR[byte]): 4 + byte for byte in range(256)}
    for left, right in merges:
        vocab[left + right] = len(vocab)
    raw = {
        "added_tokens": [
            {"id": index, "content": text, "special": True} for index, text in enumerate(CONTROL)
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "model": {"type": "BPE", "vocab": vocab, "merges": [list(pair) for pair in merges]},
    }
    return Tokenizer.from_json(json.dumps(raw).encode())


def llama_tokenizer() -> Tokenizer:
    """Llama kind: <unk>, <s>, </s>, a piece for each byte (id 3 + byte), U+2581; BOS is <s>."""
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581"]
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    raw = {
        "added_tokens": [
            {"id": index, "content": names[index], "special": True} for index in range(3)
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, replace],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, text],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "model": {
            "type": "BPE",
            "byte_fallback": True,
            "unk_token": "<unk>",
            "vocab": {name: index for index, name in enumerate(names)},
            "merges": [],
        },
    }
    return Tokenizer.from_json(json.dumps(raw).encode())


def fake_model(tokenizer: Tokenizer, template: ChatTemplate = MARKED) -> Model:
    """What generation and chat read of a model."""
    stops = [tokenizer.encode_control(text) for text in template.stop]
    model = SimpleNamespace(
        name="fake",
        sha256="0" * 64,
        tokenizer=tokenizer,
        chat_template=template,
        stop_ids=tuple(stop for stop in stops if stop is not None),
    )
    return cast(Model, model)


class FakeSession:
    """A Session. `choose(history)` names the id with the largest logit; without it, the state.

    `on_feed(ids)` runs before each feed and may raise or set a flag; `feeds` records the feeds.
    """

    device = cast(Device, SimpleNamespace(telemetry=lambda: Telemetry({})))

    def __init__(
        self, model: Model | None = None, choose: Callable[[tuple[int, ...]], int] | None = None
    ) -> None:
        self.model = fake_model(byte_tokenizer()) if model is None else model
        self.choose = choose
        self.on_feed: Callable[[Sequence[int]], None] | None = None
        self.feeds: list[list[int]] = []
        self.restores = 0
        self.history: tuple[int, ...] = ()
        self.hidden = np.zeros(4, dtype=np.int64)
        self._histories: dict[bytes, tuple[int, ...]] = {}

    @property
    def position(self) -> int:
        return len(self.history)

    def feed(
        self,
        ids: Sequence[int],
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> Candidates:
        size = self.model.tokenizer.vocab_size
        if not len(ids) or not all(0 <= token < size for token in ids):
            raise UsageError("the ids are empty or out of range.")
        if self.on_feed is not None:
            self.on_feed(ids)
        if cancel is not None and cancel.is_set():
            raise Cancelled
        self.feeds.append(list(ids))
        for token in ids:
            self.hidden = (self.hidden * _FACTORS + token + 7) % _PRIMES
        self.history += tuple(ids)
        order = np.arange(size, dtype=np.int64)
        logits = (order * 7919 + self.hidden[0]) % 1009 / 100
        if self.choose is not None:
            logits[self.choose(self.history)] = 100.0
        return Candidates(order.astype(np.int32), logits.astype(np.float32))

    def logits(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        return np.stack([self.feed([token]).logits for token in ids])

    def snapshot(self) -> State:
        hidden = self.hidden.astype(np.float32).reshape(1, 4)
        self._histories[hidden.tobytes()] = self.history
        return State(self.model.sha256, self.position, hidden)

    def restore(self, state: State) -> None:
        if state.model != self.model.sha256:
            raise ModelRejected("the state is another model's.")
        self.restores += 1
        self.hidden = state.hidden.reshape(4).astype(np.int64)
        self.history = self._histories[state.hidden.tobytes()]

    def reset(self) -> None:
        self.hidden = np.zeros(4, dtype=np.int64)
        self.history = ()

    def close(self) -> None:
        """Nothing to free."""


def state_after(session: FakeSession, ids: Sequence[int]) -> list[int]:
    """The state that a new session has after one long feed of `ids`."""
    other = FakeSession(session.model)
    if len(ids):
        other.feed(ids)
    return other.hidden.tolist()


def same(left: Any, right: Any) -> bool:
    """Whether two states are equal bit for bit."""
    return bool(left.position == right.position and np.array_equal(left.hidden, right.hidden))


def scripted(*answers: str | list[int], end: int = 1) -> Callable[[tuple[int, ...]], int]:
    """A `choose` for the byte tokenizer: the n-th answer after the n-th <|bot|>, then `end`."""
    spelt = [
        [4 + byte for byte in answer.encode()] if isinstance(answer, str) else answer
        for answer in answers
    ]

    def choose(history: tuple[int, ...]) -> int:
        if 3 not in history:
            return end
        turn = history.count(3)
        since = len(history) - 1 - history[::-1].index(3)
        said = len(history) - since - 1
        answer = spelt[(turn - 1) % len(spelt)]
        return answer[said] if said < len(answer) else end

    return choose


def talk(*answers: str | list[int], **options: Any) -> tuple[Chat, FakeSession]:
    """A greedy chat on a fake session that gives `answers` in turn."""
    session = FakeSession(choose=scripted(*answers))
    return Chat(session, sampling=options.pop("sampling", GREEDY), **options), session


def letters(text: str) -> list[int]:
    """The ids of `text` in the byte tokenizer without merges."""
    return [4 + byte for byte in text.encode()]


def turn(question: str, answer: str) -> list[int]:
    """The ids of a whole turn in the template MARKED."""
    return [2, *letters(question), 3, *letters(answer), 1]
