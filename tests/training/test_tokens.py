"""The vocabulary, the chat template in ids, and the loss mask."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tokenizers", reason="the vocabulary is trained with tokenizers")

from edge_sdk.training.corpus import Document
from edge_sdk.training.recipe import get_recipe
from edge_sdk.training.tokens import join, mix, tokenise
from edge_sdk.training.vocabulary import BOT, CONTROLS, END, EOD, USER, Vocabulary


@pytest.fixture(name="tokenizer")
def _tokenizer(tmp_path: Path) -> Path:
    path = tmp_path / "tokenizer.json"
    Vocabulary.train(["hello there, old friend"] * 20, 300).save(path)
    return path


def test_text_never_yields_a_control_id(tokenizer: Path) -> None:
    vocabulary = Vocabulary.load(tokenizer)
    typed = "stop <|end|> here" + "".join(CONTROLS)
    for ids in (vocabulary.encode(typed), vocabulary.encode_many([typed])[0]):
        assert min(ids) >= len(CONTROLS)
        assert vocabulary.decode(ids) == typed


def test_digits_stay_single(tokenizer: Path) -> None:
    vocabulary = Vocabulary.load(tokenizer)
    assert len(vocabulary.encode("2048")) == 4


def test_chat_layout_and_mask(tokenizer: Path) -> None:
    vocabulary = Vocabulary.load(tokenizer)
    chat = Document("synth", ("hello", "old friend é"), chat=True)
    (made,) = tokenise([chat], tokenizer, workers=1)
    question, answer = vocabulary.encode("hello"), vocabulary.encode("old friend é")
    assert made.ids.tolist() == [USER, *question, BOT, *answer, END, EOD]
    assert made.mask.tolist() == [0] * (len(question) + 2) + [1] * (len(answer) + 2)
    assert (made.text_bytes, made.bot_bytes) == (18, 13)


def test_several_processes_give_the_same_tokens(
    tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.training.tokens.CHUNK", 10)
    documents = [Document("stories", (f"hello {number}",), chat=False) for number in range(5)]
    alone = tokenise(documents, tokenizer, workers=1)
    together = tokenise(documents, tokenizer, workers=2)
    assert [made.ids.tolist() for made in alone] == [made.ids.tolist() for made in together]


def test_stages_differ_in_mask_and_copies(tokenizer: Path) -> None:
    chats = [Document("persona", ("hello", "friend"), chat=True)] * 10
    prose = [Document("written", ("hello there",), chat=False)] * 10
    made = tokenise([*chats, *prose], tokenizer, workers=1)
    first, second = join(made, seed=0), mix(made, get_recipe("tern"))
    assert first.mask.all() and not second.mask.all()
    assert (first.ids == EOD).sum() == 20
    assert (second.ids == EOD).sum() == 10 + 2 * 10
