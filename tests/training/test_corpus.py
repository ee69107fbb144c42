"""Reading, filtering and splitting shards of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_sdk.errors import NotFound, Rejected
from edge_sdk.training.corpus import HELD_OUT, load_corpus, read_shard
from tests.training.shards import write_corpus, write_shard


def test_holds_out_the_same_documents_of_each_source_every_time(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus")
    first, second = load_corpus(folder), load_corpus(folder)
    assert first == second
    for source in ("stories", "chatterbot"):
        held = [document for document in first.validation if document.source == source]
        assert len(held) == HELD_OUT
        assert not set(held) & set(first.train)


def test_leaves_out_shards_by_name_and_says_so(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus")
    write_shard(folder, "sharealike", [{"src": "borrowed", "text": "never read"}])
    write_shard(folder, "facts", [{"src": "country", "text": "{}"}])
    corpus = load_corpus(folder)
    assert {document.source for document in corpus.train} == {"stories", "chatterbot"}
    assert [shard.name for shard in corpus.shards] == ["chats.jsonl.xz", "prose.jsonl.xz"]
    assert any("sharealike.jsonl.xz" in note for note in corpus.notes)
    assert any("facts.jsonl.xz" in note for note in corpus.notes)


def test_keeps_one_voice_and_no_other_assistant(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus")
    wanted: dict[str, Any] = {"src": "bfchitchat", "turns": ["Hi", "Hello."], "persona": "friendly"}
    others: list[dict[str, Any]] = [
        {"src": "bfchitchat", "turns": ["Hi", "Whatever."], "persona": "witty"},
        {"src": "bfchitchat", "turns": ["Do you know Cortana?", "Yes."], "persona": "friendly"},
        {"src": "chatterbot", "turns": ["Are you Siri?", "No."]},
    ]
    write_shard(folder, "qa", [wanted, *others])
    corpus = load_corpus(folder, personas=("friendly",))
    everything = [*corpus.train, *corpus.validation]
    assert ("Hi", "Hello.") in [document.parts for document in everything]
    spoken = " ".join(part for document in everything for part in document.parts)
    assert not any(word in spoken for word in ("Whatever", "Cortana", "Siri"))


def test_parallel_answers_to_one_question_stay_on_one_side(tmp_path: Path) -> None:
    pairs: list[dict[str, Any]] = [
        {"src": "bfchitchat", "turns": [f"Question {number}", f"Answer {voice}"], "persona": voice}
        for number in range(100)
        for voice in ("friendly", "caring")
    ]
    write_shard(tmp_path, "qa", pairs)
    corpus = load_corpus(tmp_path)
    asked = {document.parts[0] for document in corpus.validation}
    assert len(corpus.validation) == HELD_OUT
    assert not asked & {document.parts[0] for document in corpus.train}


def test_gives_the_assistant_its_name(tmp_path: Path) -> None:
    chat: dict[str, Any] = {
        "src": "chatterbot",
        "turns": ["Who are you?", "I don't have a name.", "Fine", "Good."],
    }
    write_shard(tmp_path, "chats", [chat] + [{"src": "x", "text": str(n)} for n in range(61)])
    corpus = load_corpus(tmp_path, name="Tern")
    parts = next(d.parts for d in [*corpus.train, *corpus.validation] if d.chat)
    assert "My name is Tern" in parts[1]
    assert parts[3] == "Good."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"src": "x"}, "line 2"),
        ({"src": "x", "turns": ["alone"]}, "line 2"),
        ({"src": "x", "text": 5}, "line 2"),
    ],
)
def test_malformed_document_is_one_sentence(
    tmp_path: Path, content: dict[str, Any], expected: str
) -> None:
    path = write_shard(tmp_path, "bad", [{"src": "x", "text": "good"}, content])
    with pytest.raises(Rejected, match=expected) as caught:
        read_shard(path)
    assert caught.value.hint


def test_corrupt_shard_is_one_sentence(tmp_path: Path) -> None:
    path = write_shard(tmp_path, "cut", [{"src": "x", "text": "good" * 500}])
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(Rejected, match=r"cut\.jsonl\.xz") as caught:
        load_corpus(tmp_path)
    assert "\n" not in str(caught.value)


def test_folder_without_shards_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no training shard"):
        load_corpus(tmp_path / "absent")
