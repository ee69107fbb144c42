"""Running the prompts on a session, and bits per byte, against sums by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.cli import main
from edge_sdk.evaluation import bits
from edge_sdk.evaluation.checks import Check
from edge_sdk.evaluation.prompts import Prompt
from edge_sdk.evaluation.runner import evaluate, stories
from edge_sdk.status_line import Readings
from edge_sdk.training.corpus import Document
from tests.fake_session import FakeSession, byte_tokenizer, fake_model, scripted


def _session(*answers: str) -> FakeSession:
    return FakeSession(choose=scripted(*answers))


def test_scores_stops_and_invented_figures_are_counted() -> None:
    prompts = [
        Prompt("telemetry", ("Watts?",), Check(figures=("8.4",)), Readings(power=8.4)),
        Prompt("greeting", ("Hi",), Check(wants="hello")),
    ]
    result = evaluate(_session("It is 9 watts."), prompts)
    assert result["prompts"] == 2 and result["overall"] == 0.0
    assert result["stop_rate"] == 1.0 and result["invented_figures"] == 1
    right = evaluate(_session("Hello, 8.4 watts."), prompts)
    assert right["overall"] == 1.0 and right["invented_figures"] == 0
    assert right["categories"]["telemetry"] == {"passed": 1, "prompts": 1, "score": 1.0}
    json.dumps(right)


def test_the_line_stands_before_the_question_and_turns_follow_each_other() -> None:
    session = _session("One.", "Two.")
    prompt = Prompt("recall", ("First", "Second"), Check(wants="two"), Readings(power=5.0))
    result = evaluate(session, [prompt])
    assert [turn["model"] for turn in result["results"][0]["turns"]] == ["One.", "Two."]
    fed = bytes(token - 4 for ids in session.feeds for token in ids if token > 3).decode()
    assert fed.startswith("[power 5.0 W]\nFirst") and "[power 5.0 W]\nSecond" in fed


def test_an_answer_that_the_limit_cuts_has_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.evaluation.runner.MAX_TOKENS", 3)
    result = evaluate(_session("Hello there"), [Prompt("greeting", ("Hi",), Check())])
    assert result["stop_rate"] == 0.0 and "end by itself" in result["results"][0]["fault"]


def test_two_stories_are_told_for_each_prompt() -> None:
    prompts = [Prompt("story", ("Tell",), Check()), Prompt("sum", ("1 + 1",), Check())]
    assert [told["prompt"] for told in stories(_session("Once."), prompts)] == ["Tell", "Tell"]


def test_bits_per_byte_of_a_uniform_guess() -> None:
    model = fake_model(byte_tokenizer())
    chat = bits.spell(Document("a", ("hi", "yes", "no", "ok"), chat=True), model)
    text = bits.spell(Document("b", ("abcd",), chat=False), model)
    assert (chat.text_bytes, chat.bot_bytes, text.text_bytes, text.bot_bytes) == (9, 5, 4, 4)
    assert sum(chat.bot) == 5 + 2, "two answers, each with its end"

    def uniform(ids: Sequence[int]) -> np.ndarray:
        return np.full(len(ids) - 1, math.log(4))

    scores = bits.bits_per_byte([chat, text], uniform)
    assert scores["a"]["bot"] == pytest.approx(2 * 7 / 5)
    assert scores["a"]["all"] == pytest.approx(2 * (len(chat.ids) - 1) / 9)
    assert scores["b"]["bot"] == scores["b"]["all"] == pytest.approx(2 * 3 / 4)


def test_long_documents_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bits, "MAX_TOKENS", 8)
    model = fake_model(byte_tokenizer())
    spelt = bits.spell(Document("b", ("a" * 50,), chat=False), model)
    assert len(spelt.ids) == spelt.text_bytes == 8
    documents = [Document(source, ("x",), chat=False) for source in "aabab"]
    assert [one.source for one in bits.choose(documents, 1)] == ["a", "b"]


def test_session_losses_are_those_of_its_logits() -> None:
    session = FakeSession()
    ids = [2, 70, 80, 3]
    losses = bits.session_losses(session)(ids)
    logits = FakeSession().logits(ids[:-1]).astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(losses, -np.log(shares[range(3), ids[1:]]))


@pytest.mark.parametrize(
    "words", [["--contamination"], ["--documents", "0"], ["--model", "absent-model"]]
)
def test_bad_input_is_one_sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", *words]) in (2, 3)
    assert capsys.readouterr().err.count("edge-sdk: ") == 1


def test_the_shipped_model_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.evaluation.runner.MAX_TOKENS", 24)
    saved = tmp_path / "answers.json"
    assert main(["eval", "--device", "cpu", "--save", str(saved), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["prompts"] >= 120 and "results" not in shown
    assert len(json.loads(saved.read_text("utf-8"))["stories"]) == 20
