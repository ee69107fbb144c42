"""The file format tokenizer.json (Hugging Face `tokenizers`), read and checked once.

It knows which kinds of tokenizer are supported and refuses the others by name; it does not encode
or decode. `truncation` and `padding` are ignored: they are about batches, not about text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from operator import add
from typing import Any

from edge_sdk.bpe import ID_BITS, Bpe, Merges
from edge_sdk.errors import ModelRejected
from edge_sdk.pretokenise import SPACE_MARK, ByteLevel, Metaspace, Splitter

MAX_BYTES = 4 << 20
"""Bytes of a tokenizer.json; those of 32,000 pieces have 2 to 4 million, as merges are written."""
MAX_PIECES = 1 << ID_BITS
MAX_MERGES = 1 << 16
MAX_VALUES = 5 << 15
MAX_OBJECTS = 1 << 16
"""Commas and braces in the file: they bound the time and the memory that parsing it can take.
32,000 pieces with 59,000 merges, written as pairs, have 150,000 commas."""
METASPACE = {
    "type": "Metaspace",
    "replacement": SPACE_MARK,
    "prepend_scheme": "first",
    "split": False,
}
"""How newer exports write the Llama kind; it puts no second mark before a text that has one."""


@dataclass(frozen=True)
class TokenizerFile:
    """What a tokenizer.json says."""

    bpe: Bpe
    splitter: Splitter
    texts: dict[int, str]
    """Id -> its text in the vocabulary's alphabet."""
    control: dict[str, int]
    """Text -> id of the special tokens."""
    bos_id: int | None
    vocab_size: int
    byte_level: bool
    byte_fallback: bool
    strip_first_space: bool
    """Whether decoding takes away the space that encoding put in front."""


def read_tokenizer(data: bytes) -> TokenizerFile:
    """Read a whole tokenizer.json; raises ModelRejected that names the first thing that is off."""
    root = _parse(data)
    model = _section(root, "model")
    pieces = _pieces(model)
    control = _control(root, pieces)
    splitter, prefixed = _splitter(root, model, pieces)
    byte_level = isinstance(splitter, ByteLevel)
    byte_fallback = _flag(model, "byte_fallback")
    if byte_level and byte_fallback:
        raise _bad("byte_fallback together with the pre-tokenizer ByteLevel is not supported")
    texts = {piece: text for text, piece in (pieces | control).items()}
    return TokenizerFile(
        bpe=_bpe(model, pieces, control, splitter),
        splitter=splitter,
        texts=texts,
        control=control,
        bos_id=_bos(root.get("post_processor")),
        vocab_size=max(texts) + 1,
        byte_level=byte_level,
        byte_fallback=byte_fallback,
        strip_first_space=_strips(root.get("decoder"), byte_level) and prefixed,
    )


def _parse(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise _bad(f"it has {len(data)} bytes; at most {MAX_BYTES} are read")
    if data.count(b",") > MAX_VALUES or data.count(b"{") > MAX_OBJECTS:
        raise _bad(f"it has more than {MAX_VALUES} values or {MAX_OBJECTS} objects")
    try:
        root = json.loads(data.decode())
    except RecursionError:
        raise _bad("it is nested too deeply") from None
    except ValueError as error:
        raise _bad(f"it is not JSON in UTF-8 ({error})") from None
    if not isinstance(root, dict):
        raise _bad("it must be a JSON object")
    return root


def _pieces(model: dict[str, Any]) -> dict[str, int]:
    if model.get("type", "BPE") != "BPE":
        raise _bad(f"the model type {model['type']!r} is not supported; expected 'BPE'")
    if model.get("dropout"):
        raise _bad("dropout is not supported: it makes ids random")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise _bad(f"{name} is not supported")
    pieces = model.get("vocab")
    if not isinstance(pieces, dict) or not 1 <= len(pieces) <= MAX_PIECES:
        raise _bad(f"model.vocab must be an object of 1 to {MAX_PIECES} pieces")
    ids = pieces.values()
    if not all(type(piece) is int and 0 <= piece < MAX_PIECES for piece in ids):
        raise _bad(f"model.vocab has an id that is not a whole number from 0 to {MAX_PIECES - 1}")
    if len(set(ids)) != len(pieces):
        raise _bad("model.vocab gives one id to two pieces")
    try:
        "".join(pieces).encode()
    except UnicodeEncodeError:
        raise _bad("model.vocab has a piece with half a surrogate pair") from None
    return pieces


def _control(root: dict[str, Any], pieces: dict[str, int]) -> dict[str, int]:
    added = root.get("added_tokens") or []
    if not isinstance(added, list) or len(added) > MAX_PIECES:
        raise _bad("added_tokens must be a list")
    control: dict[str, int] = {}
    owners = {piece: text for text, piece in pieces.items()} if added else {}
    for token in added:
        text, piece = (
            (token.get("content"), token.get("id")) if isinstance(token, dict) else (None, None)
        )
        if not isinstance(text, str) or not text or not _encodable(text):
            raise _bad("an added token has no text in 'content'")
        if type(piece) is not int or not 0 <= piece < MAX_PIECES:
            raise _bad(f"the added token {text!r} has no id from 0 to {MAX_PIECES - 1}")
        if token.get("special") is not True:
            raise _bad(f"the added token {text!r} is not special, which is not supported")
        if pieces.get(text, piece) != piece or owners.setdefault(piece, text) != text:
            raise _bad(f"the added token {text!r} and model.vocab disagree on the id {piece}")
        control[text] = piece
    return control


def _encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _bpe(
    model: dict[str, Any], pieces: dict[str, int], control: dict[str, int], splitter: Splitter
) -> Bpe:
    unknown = model.get("unk_token")
    if unknown is not None and (not isinstance(unknown, str) or unknown not in pieces):
        raise _bad(f"unk_token {unknown!r} is not in model.vocab")
    return Bpe(
        {text: piece for text, piece in pieces.items() if text not in control},
        _merges(model.get("merges"), pieces, frozenset(control.values())),
        splitter.spell,
        unknown=None if unknown is None else pieces[unknown],
        fuse_unknown=_flag(model, "fuse_unk"),
        byte_fallback=_flag(model, "byte_fallback"),
        ignore_merges=_flag(model, "ignore_merges"),
    )


def _merges(raw: Any, pieces: dict[str, int], control: frozenset[int]) -> Merges:
    """Merges are written "a b" or, since tokenizers 0.20, ["a", "b"].

    Column by column: a loop over 60,000 rows would be most of the time to load a model.
    """
    if not isinstance(raw, list) or not set(map(type, raw)) <= {list, str}:
        raise _bad("model.merges must be a list of pairs")
    if len(raw) > MAX_MERGES:
        raise _bad(f"model.merges has {len(raw)} pairs; at most {MAX_MERGES} are read")
    if not raw:
        return Merges({}, [])
    pairs = [pair.split(" ") if type(pair) is str else pair for pair in raw]
    try:
        lefts, rights = [left for left, _ in pairs], [right for _, right in pairs]
        made = list(map(pieces.__getitem__, map(add, lefts, rights)))
        left_ids, right_ids = map(pieces.__getitem__, lefts), map(pieces.__getitem__, rights)
        keys = [left << ID_BITS | right for left, right in zip(left_ids, right_ids, strict=True)]
    except (ValueError, TypeError, KeyError):
        raise _bad("a merge is not two pieces that make a third one") from None
    ranks = dict(zip(keys, range(len(keys)), strict=True))
    if not control.isdisjoint(made):
        # A user's text must not become a control token, even where the merges spell one.
        ranks = {key: rank for key, rank in ranks.items() if made[rank] not in control}
    return Merges(ranks, made)


def _splitter(
    root: dict[str, Any], model: dict[str, Any], pieces: dict[str, int]
) -> tuple[Splitter, bool]:
    """The splitter, and whether it puts a space in front of a text."""
    before = _steps(root.get("pre_tokenizer"), "pretokenizers", "pre-tokenizer")
    normal = _steps(root.get("normalizer"), "normalizers", "normalizer")
    kinds = [step["type"] for step in before]
    if kinds in (["ByteLevel"], ["Digits", "ByteLevel"]):
        if normal:
            raise _bad(f"the normalizer {normal[0]['type']} before ByteLevel is not supported")
        digits = None
        if kinds[0] == "Digits":
            digits = "individual" if _flag(before[0], "individual_digits") else "runs"
        prefix = _flag(before[-1], "add_prefix_space", True)
        return ByteLevel(digits, prefix, _flag(before[-1], "use_regex", True)), False
    if before == [METASPACE] and not normal:
        return Metaspace(True, _no_merge_crosses(model, pieces), once=True), True
    if kinds:
        raise _bad(
            f"the pre-tokenizer {' + '.join(map(str, kinds))} is not supported; expected "
            "ByteLevel, Digits + ByteLevel, or none with the Llama normalizer"
        )
    prepend = {"type": "Prepend", "prepend": SPACE_MARK}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE_MARK}
    if normal not in ([prepend, replace], [replace]):
        found = " + ".join(str(step["type"]) for step in normal) or "none"
        raise _bad(
            f"the normalizer {found} without a pre-tokenizer is not supported; expected Prepend "
            f"and Replace that write a space as {SPACE_MARK!r}"
        )
    return Metaspace(len(normal) == 2, _no_merge_crosses(model, pieces)), len(normal) == 2


def _no_merge_crosses(model: dict[str, Any], pieces: dict[str, int]) -> bool:
    """Whether cutting the text before each run of marks leaves all ids as they are."""
    if SPACE_MARK not in pieces or _flag(model, "ignore_merges"):
        return False
    # Half a surrogate pair is in no piece, so it can stand between them.
    crossing = re.compile(f"[^{SPACE_MARK}\ud800]{SPACE_MARK}")
    return crossing.search("\ud800".join(pieces)) is None


def _strips(decoder: Any, byte_level: bool) -> bool:
    steps = _steps(decoder, "decoders", "decoder")
    kinds = [step["type"] for step in steps]
    if byte_level:
        if kinds not in ([], ["ByteLevel"]):
            raise _bad(f"the decoder {' + '.join(map(str, kinds))} is not supported with ByteLevel")
        return False
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    if kinds[:3] not in ([], ["Replace", "ByteFallback", "Fuse"]) or steps[3:] not in ([], [strip]):
        raise _bad(f"the decoder {' + '.join(map(str, kinds))} is not supported for this kind")
    return not kinds or bool(steps[3:])


def _bos(processor: Any) -> int | None:
    """The one id that a TemplateProcessing puts in front of a single text."""
    bos = None
    for step in _steps(processor, "processors", "post-processor"):
        if step["type"] == "ByteLevel":
            continue
        single = step.get("single")
        if step["type"] != "TemplateProcessing" or not isinstance(single, list):
            raise _bad(f"the post-processor {step['type']} is not supported")
        try:
            names = [part["SpecialToken"]["id"] for part in single if "SpecialToken" in part]
            ids = [piece for name in names for piece in step["special_tokens"][name]["ids"]]
            last_is_text = "Sequence" in single[-1]
        except (TypeError, KeyError, IndexError):
            raise _bad("the post-processor TemplateProcessing is malformed") from None
        if len(ids) > 1 or not last_is_text or any(type(piece) is not int for piece in ids):
            raise _bad("the post-processor adds more than one token in front of a text")
        bos = ids[0] if ids else bos
    return bos


def _steps(value: Any, name: str, what: str) -> list[dict[str, Any]]:
    """A step that may be absent, single, or a Sequence of steps."""
    if value is None:
        return []
    if isinstance(value, dict) and value.get("type") == "Sequence":
        value = value.get(name)
    steps = value if isinstance(value, list) else [value]
    if not all(isinstance(step, dict) and "type" in step for step in steps):
        raise _bad(f"its {what} is malformed")
    return steps


def _section(root: dict[str, Any], name: str) -> dict[str, Any]:
    section = root.get(name)
    if not isinstance(section, dict):
        raise _bad(f"it has no object {name!r}")
    return section


def _flag(section: dict[str, Any], name: str, default: bool = False) -> bool:
    value = section.get(name, default)
    if not isinstance(value, bool):
        raise _bad(f"{name} is {value!r}; expected true or false")
    return value


def _bad(detail: str) -> ModelRejected:
    return ModelRejected(
        f"the tokenizer was refused: {detail}.",
        hint="use a tokenizer.json of the kind byte-level BPE or Llama BPE with byte fallback.",
    )
