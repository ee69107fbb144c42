"""What of a tokenizer.json is refused, and how."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
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
    (b"," * 1_000_000, "values"),
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
    ({"model_merges": [["a", "b"]] * 70_000}, "70000 pairs"),
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


def test_a_vocabulary_of_the_published_size_is_read() -> None:
    """32,000 pieces and 59,000 merges, in the longer of the two ways to write them."""
    raw = json.loads(byte_level_json())
    letters = [text for text in raw["model"]["vocab"] if len(text) == 1]
    some = letters[-40:]
    twos = [[a, b] for a in some for b in some]
    threes = [[a, b, c] for a in some for b in some for c in some][:29_000]
    texts = [*letters, *map("".join, twos), *map("".join, threes)]
    merges = [*twos, *([a, b + c] for a, b, c in threes), *([a + b, c] for a, b, c in threes)]
    # Far from the ids of the added tokens.
    raw["model"] |= {"vocab": {text: 1000 + n for n, text in enumerate(texts)}, "merges": merges}
    raw["added_tokens"] = []
    tokenizer = Tokenizer.from_json(json.dumps(raw, indent=2, ensure_ascii=False).encode())
    assert (len(texts) // 1000, len(merges)) == (30, 59_600)
    assert tokenizer.vocab_size == 1000 + len(texts)
    assert tokenizer.decode(tokenizer.encode("it's 12 terns")) == "it's 12 terns"


def worst_files() -> dict[str, bytes]:
    """As large as the caps let them be, with the fault where it is found last."""
    bytes_, values = tokenizer_file.MAX_BYTES, tokenizer_file.MAX_VALUES
    wide = "\N{GRINNING FACE}"  # makes Python keep a text at four bytes a character

    def file(**model: Any) -> bytes:
        raw = json.loads(byte_level_json()) | {"added_tokens": [], "model": {"type": "BPE"} | model}
        return json.dumps(raw, ensure_ascii=False).encode()

    merges = [f"t{n} t{n + 1}" for n in range(tokenizer_file.MAX_MERGES - 1)]
    pieces = {f"t{n}": n for n in range(values - len(merges) - 1000)}
    long = {f"{wide}{n:{bytes_ // values * 2 - 30}}": n for n in range(values // 2)}
    return {
        "ids": file(vocab={f"t{n}": n for n in range(values - 1000)} | {"bad": -1}, merges=[]),
        "merges": file(vocab=pieces, merges=[*merges, "a b c"]),
        "one text": file(vocab={wide + "x" * (bytes_ - 2000): -1}, merges=[]),
        "texts": file(vocab=long | {"bad": -1}, merges=[]),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="the memory of a process is read by resource")
def test_refusing_needs_little_memory(tmp_path: Path) -> None:
    code = """if True:
        import resource, sys
        from pathlib import Path
        from edge_sdk.errors import ModelRejected
        from edge_sdk.tokenizer import Tokenizer
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for path in Path(sys.argv[1]).glob("*.json"):
            try:
                Tokenizer.from_json(path.read_bytes())
            except ModelRejected as error:
                print(path.stem, error, file=sys.stderr)
                continue
            raise SystemExit(f"{path} was read")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    for name, data in worst_files().items():
        assert len(data) <= tokenizer_file.MAX_BYTES, name
        (tmp_path / f"{name}.json").write_bytes(data)
    command = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    kibibytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kibibytes < 50_000, done.stderr
    assert done.stderr.count("has an id") == 3
    assert done.stderr.count("a merge is not") == 1


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
