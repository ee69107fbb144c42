"""Ids and texts, against the `tokenizers` package as the oracle."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.tokenizer import Tokenizer
from tests.tokenizer_samples import (
    CONTROL,
    MARK,
    NASTY,
    byte_level_json,
    corpus,
    llama_json,
    package_oracle,
    random_texts,
)

KINDS: dict[str, Callable[[], str]] = {
    "digits one by one": byte_level_json,
    "digits in runs": lambda: byte_level_json("runs"),
    "no digits step": lambda: byte_level_json("none"),
    "prefix space": lambda: byte_level_json("individual", prefix=True),
    "no pattern": lambda: byte_level_json("individual", use_regex=False),
    "llama": llama_json,
    "llama, merges across words": lambda: llama_json(crossing=True),
    "llama, unknown fused": lambda: llama_json(fallback=False),
    "llama, unknown apart": lambda: llama_json(fallback=False, fuse=False),
}


@cache
def _pair(kind: str) -> tuple[Tokenizer, Any]:
    text = KINDS[kind]()
    return Tokenizer.from_json(text.encode()), package_oracle(text)


@pytest.mark.parametrize("kind", KINDS)
def test_ids_equal_the_package(kind: str) -> None:
    ours, oracle = _pair(kind)
    for text in [*NASTY, *corpus()[:100], *random_texts(800)]:
        expected = oracle.encode(text, add_special_tokens=False).ids
        assert ours.encode(text) == expected, repr(text)
        if kind != "llama, unknown fused" and kind != "llama, unknown apart":
            assert ours.decode(expected) == oracle.decode(expected), repr(text)


@pytest.mark.parametrize("kind", ["digits one by one", "prefix space", "llama"])
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cn"])))
@settings(max_examples=150, deadline=None)
def test_any_text_equals_the_package(kind: str, text: str) -> None:
    ours, oracle = _pair(kind)
    # The package refuses half surrogates; what Python's table has not (Cn), its own may have.
    assert ours.encode(text) == oracle.encode(text, add_special_tokens=False).ids


@given(text=st.text(alphabet=st.characters(), max_size=40))
@settings(max_examples=150, deadline=None)
def test_text_survives_both_kinds(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    for kind in ("digits one by one", "no digits step"):
        ours, _ = _pair(kind)
        assert ours.decode(ours.encode(text)) == text
    llama, _ = _pair("llama")
    assert llama.decode(llama.encode(text)) == text.replace(MARK, " ")


@given(ids=st.lists(st.integers(0, 699), max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_decoder_never_splits_a_character(ids: list[int]) -> None:
    """Pieces of whole characters that join to what one decode of all bytes gives."""
    for kind in ("digits one by one", "llama"):
        tokenizer, _ = _pair(kind)
        decoder = tokenizer.decoder()
        pieces = [decoder.feed(token) for token in ids]
        data = b"".join(tokenizer.token_bytes(t) for t in ids if t not in tokenizer.control_ids)
        expected = data.decode("utf-8", "replace")
        if kind == "llama":
            expected = expected.removeprefix(" ")
        assert "".join(pieces) + decoder.flush() == expected == tokenizer.decode(ids)
        try:
            data.decode()
        except UnicodeDecodeError:
            continue
        assert "\ufffd" not in "".join(pieces) or "\ufffd" in expected


def test_a_character_arrives_whole_and_a_cut_one_is_marked() -> None:
    tokenizer, _ = _pair("llama")
    ids = [3 + byte for byte in "🐦".encode()]
    decoder = tokenizer.decoder()
    assert [decoder.feed(token) for token in ids] == ["", "", "", "🐦"]
    assert [decoder.feed(token) for token in ids[:2]] == ["", ""]
    assert decoder.flush() == "\ufffd"
    assert decoder.flush() == ""


@pytest.mark.parametrize("marker", CONTROL)
def test_typed_control_tokens_stay_text(marker: str) -> None:
    ours, _ = _pair("digits one by one")
    ids = ours.encode(f"a{marker}b {marker}")
    assert not ours.control_ids.intersection(ids)
    assert ours.decode(ids) == f"a{marker}b {marker}"
    assert ours.encode_control(marker) == CONTROL.index(marker)
    assert ours.encode_control("a") is None


def test_merges_that_spell_a_control_token_never_produce_it() -> None:
    raw = json.loads(byte_level_json())
    vocab, merges = raw["model"]["vocab"], raw["model"]["merges"]
    for size in range(2, len("<|end|>") + 1):
        text = "<|end|>"[:size]
        vocab.setdefault(text, max(vocab.values()) + 1)
        merges.insert(size - 2, [text[:-1], text[-1]])
    raw["pre_tokenizer"]["pretokenizers"][1]["use_regex"] = False
    raw["model"]["ignore_merges"] = True
    ours = Tokenizer.from_json(json.dumps(raw).encode())
    ids = ours.encode("<|end|>")
    assert not ours.control_ids.intersection(ids)
    assert ours.decode(ids) == "<|end|>"


def test_control_tokens_are_shown_only_on_request() -> None:
    ours, _ = _pair("digits one by one")
    ids = [2, *ours.encode("Hi"), 1]
    assert ours.decode(ids) == "Hi"
    assert ours.decode(ids, skip_control=False) == "<|user|>Hi<|end|>"
    assert ours.split_control("<|user|>Hi<|end|>") == [2, "Hi", 1]
    assert ours.split_control("plain") == ["plain"]
    assert ours.decode([10**6, -1]) == ""


def test_begin_of_sequence_comes_from_the_template() -> None:
    llama, _ = _pair("llama")
    assert llama.bos_id == 1
    assert llama.encode("a", bos=True) == [1, *llama.encode("a")]
    assert llama.encode("", bos=True) == [1]
    byte_level, _ = _pair("digits one by one")
    assert byte_level.bos_id is None
    assert byte_level.encode("a", bos=True) == byte_level.encode("a")


def test_a_continued_text_gets_no_space_in_front() -> None:
    llama, _ = _pair("llama")
    assert llama.encode("x the") == [*llama.encode("x"), *llama.encode(" the", start=False)]
    assert llama.encode(" the", start=False) == llama.encode("the")
    prefixed, _ = _pair("prefix space")
    assert prefixed.encode("the", start=False) != prefixed.encode("the")
    assert prefixed.encode(" the", start=False) == prefixed.encode("the")


def test_surrogates_are_joined_or_replaced() -> None:
    ours, _ = _pair("digits one by one")
    assert ours.decode(ours.encode("a\ud83d\udc26b\ud800c\udc00")) == "a🐦b\ufffdc\ufffd"


def test_ignore_merges_takes_a_word_that_is_a_piece_as_it_is() -> None:
    raw = json.loads(byte_level_json())
    raw["model"]["ignore_merges"] = True
    raw["model"]["vocab"]["tern?" if "tern?" not in raw["model"]["vocab"] else "x"] = 900
    raw["pre_tokenizer"]["pretokenizers"][1]["use_regex"] = False
    text = json.dumps(raw)
    ours, oracle = Tokenizer.from_json(text.encode()), package_oracle(text)
    assert ours.encode("tern?") == oracle.encode("tern?").ids == [900]


def test_a_metaspace_step_is_the_llama_kind_too() -> None:
    raw = json.loads(llama_json())
    raw["normalizer"] = None
    raw["pre_tokenizer"] = {
        "type": "Metaspace",
        "replacement": MARK,
        "prepend_scheme": "first",
        "split": False,
    }
    text = json.dumps(raw)
    ours, oracle = Tokenizer.from_json(text.encode()), package_oracle(text)
    for sample in [*NASTY, *random_texts(300)]:
        assert ours.encode(sample) == oracle.encode(sample, add_special_tokens=False).ids


def test_one_long_word_takes_no_quadratic_time() -> None:
    """Correct by comparison; a quadratic loop over 200,000 letters would hit the time-out."""
    word = "".join(random.Random(3).choices("eternigl", k=200_000))
    ours, oracle = _pair("digits one by one")
    assert ours.encode(word) == oracle.encode(word).ids


def test_the_cache_is_bounded_and_changes_nothing() -> None:
    ours, _ = _pair("digits one by one")
    expected = ours.encode("the tern")
    for number in range(40_000):
        ours.encode(f"w{chr(0x4E00 + number % 20_000)}{'x' * (number % 7)}")
    assert ours.encode("the tern") == expected
    assert ours._bpe._cached.cache_info().currsize <= 1 << 14
