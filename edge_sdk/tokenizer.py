"""Text to token ids and back, as the model's own tokenizer does it.

It knows pieces, control tokens and UTF-8; it does not know the file format (tokenizer_file.py),
templates or models.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from edge_sdk.bpe import Bpe
from edge_sdk.pretokenise import CHAR_TO_BYTE, SPACE_MARK, Splitter
from edge_sdk.tokenizer_file import TokenizerFile, read_tokenizer

_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


class Tokenizer:
    """A byte-pair tokenizer read from a tokenizer.json; ids equal the `tokenizers` package's.

    One difference is on purpose: text that spells a control token, such as "<|end|>", never
    becomes that token. Control ids come from `encode_control` and `split_control` only.
    """

    def __init__(self, file: TokenizerFile) -> None:
        self._file = file
        self._bpe: Bpe = file.bpe
        self._splitter: Splitter = file.splitter
        self._bytes: dict[int, bytes] = {}
        self.vocab_size = file.vocab_size
        """One more than the highest id."""
        self.control_ids = frozenset(file.control.values())
        """Ids of the special tokens: they steer the model and are never shown."""
        self.bos_id = file.bos_id
        """The id that a document starts with, or None if the tokenizer asks for none."""
        longest_first = sorted(file.control, key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    @classmethod
    def from_json(cls, data: bytes) -> Tokenizer:
        """Read a Hugging Face tokenizer.json; raises ModelRejected that names what is off.

        Supported are byte-level BPE (pre-tokenizer ByteLevel, alone or after Digits) and the Llama
        kind (spaces become U+2581, bytes as fallback, no pre-tokenizer).
        """
        return cls(read_tokenizer(data))

    def encode(self, text: str, *, bos: bool = False, start: bool = True) -> list[int]:
        """The ids of a user's text. Half surrogate pairs become U+FFFD first.

        bos: put `bos_id` in front, if there is one. start: False where the text continues an
        earlier one, so that no space is put before it. A control id comes out only where the
        vocabulary has no other piece for a character than a control token for "unknown".
        """
        ids = [self.bos_id] if bos and self.bos_id is not None else []
        encode = self._bpe.encode
        for word in self._splitter.words(whole(text), start):
            ids += encode(word)
        return ids

    def encode_control(self, marker: str) -> int | None:
        """The id of the control token that is written exactly `marker`, or None."""
        return self._file.control.get(marker)

    def split_control(self, text: str) -> list[int | str]:
        """Cut a template's text into control ids and the texts between. Not for a user's text."""
        parts: list[int | str] = []
        done = 0
        for match in self._control.finditer(text):
            parts += [text[done : match.start()], self._file.control[match.group()]]
            done = match.end()
        return [part for part in [*parts, text[done:]] if part != ""]

    def decode(self, ids: Iterable[int], *, skip_control: bool = True) -> str:
        """The text of `ids`. Bytes that are no UTF-8 become U+FFFD; unknown ids give no text."""
        decoder = self.decoder(skip_control=skip_control)
        return "".join([decoder.feed(token) for token in ids]) + decoder.flush()

    def decoder(self, *, skip_control: bool = True) -> IncrementalDecoder:
        """Decode ids one by one, as they are generated."""
        return IncrementalDecoder(self, skip_control, self._file.strip_first_space)

    def token_bytes(self, token: int) -> bytes:
        """The bytes that one id stands for: a part of a UTF-8 text; b"" for an unknown id."""
        known = self._bytes.get(token)
        if known is None:
            known = self._bytes[token] = self._spelling(token)
        return known

    def _spelling(self, token: int) -> bytes:
        text = self._file.texts.get(token, "")
        if token in self.control_ids:
            return text.encode()
        if self._file.byte_level:
            if all(ord(char) in CHAR_TO_BYTE for char in text):
                return bytes(CHAR_TO_BYTE[ord(char)] for char in text)
            return text.encode()
        byte = _BYTE_PIECE.fullmatch(text) if self._file.byte_fallback else None
        if byte is not None:
            return bytes([int(byte[1], 16)])
        return text.replace(SPACE_MARK, " ").encode()


class IncrementalDecoder:
    """Turns ids into text without ever showing a part of a character."""

    def __init__(self, tokenizer: Tokenizer, skip_control: bool, strip_first_space: bool) -> None:
        self._tokenizer = tokenizer
        self._skip = tokenizer.control_ids if skip_control else frozenset()
        self._strip = strip_first_space
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        """The characters that are complete now; "" while one is still missing bytes."""
        if token in self._skip:
            return ""
        return self._stripped(self._utf8.decode(self._tokenizer.token_bytes(token)))

    def flush(self) -> str:
        """What is left at the end: U+FFFD if a character was cut. The decoder starts anew."""
        text = self._stripped(self._utf8.decode(b"", final=True))
        self._utf8.reset()
        return text

    def _stripped(self, text: str) -> str:
        if text and self._strip:
            self._strip = False
            return text.removeprefix(" ")
        return text


def whole(text: str) -> str:
    """`text` with each half of a surrogate pair replaced by U+FFFD, so that it has bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
