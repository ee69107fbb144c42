"""What of a tokenizer.json is refused, and how."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk import tokenizer_file
from edge_sdk.errors import ModelRejected
from edge_sdk.tokenizer import Tokenizer
from tests.tokenizer_samples import byte_level_json


def _edited(**changes: Any) -> bytes:
    """The byte-level file with fields replaced; "model.x" reaches into the model."""
    raw = json.loads(byte_level_json())
    for name, value in changes.items():
        if name.startswith("model_"):
            raw["model"][name.removeprefix("model_")] = value
        else:
            raw[name] = value
    return json.dumps(raw).encode()


REFUSED: list[tuple[bytes | dict[str, Any], str]] = [
    (b"", "not JSON"),
    (b"\xff\xfe{}", "not JSON"),
    (b"[1, 2]", "object"),
    (b"{}", "'model'"),
    (b"[" * 200_000, "deep"),
    (b'{"a":' * 50_000, "deep"),
    (b"9" * 100_000, "not JSON"),
    (b"," * 10_000_000, "values"),
    (b"{" * 100_000, "objects"),
    ({"model_type": "Unigram"}, "Unigram"),
    ({"model_dropout": 0.1}, "dropout"),
    ({"model_end_of_word_suffix": "</w>"}, "end_of_word_suffix"),
    ({"model_continuing_subword_prefix": "##"}, "continuing_subword_prefix"),
    ({"model_vocab": {}}, "vocab"),
    ({"model_vocab": ["a"]}, "vocab"),
    ({"model_vocab": {"a": -1}}, "id"),
    ({"model_vocab": {"a": True}}, "id"),
    ({"model_vocab": {"a": 1 << 20}}, "id"),
    ({"model_vocab": {"a": 5, "b": 5}}, "two pieces"),
    ({"model_vocab": {"\ud800": 5}}, "surrogate"),
    ({"model_merges": None}, "merges"),
    ({"model_merges": ["a b c"]}, "merge"),
    ({"model_merges": [["a", "zzzz"]]}, "merge"),
    ({"model_merges": [["a"]]}, "merge"),
    ({"model_merges": [[["a"], "b"]]}, "merge"),
    ({"model_merges": [{"a": 1, "b": 2}]}, "merges"),
    ({"model_unk_token": "<none>"}, "unk_token"),
    ({"model_byte_fallback": True}, "byte_fallback"),
    ({"model_byte_fallback": "yes"}, "byte_fallback"),
    ({"normalizer": {"type": "NFC"}}, "NFC"),
    ({"pre_tokenizer": {"type": "Whitespace"}}, "Whitespace"),
    ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": 3}}, "malformed"),
    ({"pre_tokenizer": {"type": ["x"]}}, "pre-tokenizer"),
    ({"pre_tokenizer": None}, "normalizer none"),
    ({"decoder": {"type": "WordPiece"}}, "WordPiece"),
    ({"post_processor": {"type": "BertProcessing"}}, "BertProcessing"),
    ({"post_processor": {"type": "TemplateProcessing", "single": [3]}}, "malformed"),
    ({"added_tokens": 3}, "added_tokens"),
    ({"added_tokens": [{"id": 5}]}, "content"),
    ({"added_tokens": [{"id": "5", "content": "<x>", "special": True}]}, "<x>"),
    ({"added_tokens": [{"id": 9999, "content": "<x>", "special": False}]}, "not special"),
    ({"added_tokens": [{"id": 9, "content": "<x>", "special": True}]}, "disagree"),
]


@pytest.mark.parametrize(("change", "named"), REFUSED, ids=lambda value: str(value)[:40])
def test_an_odd_file_is_refused_by_a_sentence(change: bytes | dict[str, Any], named: str) -> None:
    data = change if isinstance(change, bytes) else _edited(**change)
    with pytest.raises(ModelRejected) as caught:
        Tokenizer.from_json(data)
    assert named in caught.value.message
    assert caught.value.message.endswith(".")
    assert caught.value.hint


def test_a_file_over_the_cap_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_file, "MAX_BYTES", 1000)
    with pytest.raises(ModelRejected, match="at most 1000"):
        Tokenizer.from_json(byte_level_json().encode())


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    """Any value in any place of the file: ModelRejected, or a tokenizer that encodes."""
    raw = json.loads(byte_level_json())
    plain: list[Any] = [st.none(), st.booleans(), st.integers(), st.text(max_size=5)]
    nested: list[Any] = [[], {}, [[]], [{}]]
    odd = st.one_of(*plain, st.sampled_from(nested), st.lists(st.one_of(*plain), max_size=3))
    place: Any = raw
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys[:30]))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(odd)
        break
    try:
        tokenizer = Tokenizer.from_json(json.dumps(raw).encode())
    except ModelRejected:
        return
    assert tokenizer.decode(tokenizer.encode("it's 12 terns")) is not None
