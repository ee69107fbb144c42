"""The byte-level BPE vocabulary and the chat template's control tokens.

It knows `tokenizer.json` and how text becomes ids; it does not know documents' sources or tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edge_sdk.errors import ModelRejected

EOD, END, USER, BOT = 0, 1, 2, 3
CONTROLS = ("<|eod|>", "<|end|>", "<|user|>", "<|bot|>")
"""Control tokens by id: end of document, end of an answer, a user turn, a bot turn."""

CHAT_TEMPLATE = {
    "user": ["<|user|>", ""],
    "assistant": ["<|bot|>", "<|end|>"],
    "stop": ["<|end|>", "<|eod|>", "<|user|>"],
    # The generated chats hold the line of live readings (edge_sdk.status_line).
    "status": True,
}


class Vocabulary:
    """A trained BPE; text never yields a control id, whatever it contains."""

    def __init__(self, tokenizer: Any) -> None:
        # Without this flag a typed "<|end|>" would become the control token.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Vocabulary:
        """Learn at most `size` entries: 4 controls, 256 bytes, then merges; digits stay single."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=list(CONTROLS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read a tokenizer.json whose first ids are the controls; raises ModelRejected."""
        from tokenizers import Tokenizer

        vocabulary = cls(Tokenizer.from_file(str(path)))
        if tuple(vocabulary._tokenizer.id_to_token(i) for i in range(4)) != CONTROLS:
            raise ModelRejected(
                f"{path} does not start with the control tokens {' '.join(CONTROLS)}.",
                hint="train the vocabulary with this package.",
            )
        return vocabulary

    def save(self, path: Path) -> None:
        """Write tokenizer.json."""
        self._tokenizer.save(str(path))

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Ids of one text, all of them 4 or more."""
        return list(self._tokenizer.encode(text).ids)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of many texts, as `encode` gives them."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, controls left out."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def prompt(self, question: str) -> list[int]:
        """Ids that ask for an answer: <|user|>question<|bot|>."""
        return [USER, *self.encode(question), BOT]
