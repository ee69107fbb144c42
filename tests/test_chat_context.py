"""What a chat leaves out when it grows too long, and what an answer cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from edge_sdk.chat import Chat
from edge_sdk.device import Device
from edge_sdk.telemetry import Provenance, Reading, Telemetry
from tests.fake_session import GREEDY, FakeSession, letters, scripted, talk, turn


def test_the_oldest_turns_are_left_out_at_the_limit() -> None:
    chat, session = talk("12345", context_limit=60, max_tokens=10, system="S")
    questions = [f"question {letter}" for letter in "abcdefg"]
    for question in questions:
        list(chat.ask(question))
        assert session.position <= 60
        start = chat.turns[-1].context_start
        assert chat.stats.context_trimmed == start
        fed = [turn(text, "12345") for text in questions[start : len(chat.turns)]]
        fed[0][1:1] = letters("S\n")
        assert list(session.history) == [token for ids in fed for token in ids]
    assert chat.turns[-1].context_start > 0
    assert [kept.user for kept in chat.turns] == questions


def test_undo_goes_back_across_the_limit() -> None:
    chat, session = talk("12345", context_limit=60, max_tokens=10)
    histories = []
    for letter in "abcdefg":
        histories.append(session.history)
        list(chat.ask(f"question {letter}"))
    session.feeds.clear()
    for history in reversed(histories):
        chat.undo()
        assert session.history == history
        assert chat.stats.context_used == len(history)
    assert session.feeds == []


def test_a_question_longer_than_the_limit_is_fed_alone() -> None:
    chat, session = talk("ok", context_limit=20)
    list(chat.ask("a"))
    list(chat.ask("b" * 50))
    assert list(session.history) == turn("b" * 50, "ok")
    assert chat.stats.context_trimmed == 1


def test_cancelled_while_old_turns_are_fed_again_nothing_happened() -> None:
    chat, session = talk("12345", context_limit=60, max_tokens=10)
    while not chat.stats.context_trimmed:
        history = session.history
        turns = list(chat.turns)
        list(chat.ask("question x"))
    chat.undo()
    assert (session.history, chat.turns) == (history, turns)
    answer = chat.ask("question x")
    session.on_feed = lambda ids: chat.stop()
    assert list(answer) == []
    assert (session.history, chat.turns) == (history, turns)


def test_figures_are_taken() -> None:
    chat, session = talk("tern")
    answer = chat.ask("x")
    next(answer)
    assert chat.stats.answer_tokens == 1
    assert chat.stats.stop_reason is None
    list(answer)
    stats = chat.stats
    assert (stats.prompt_tokens, stats.answer_tokens) == (3, 4)
    assert stats.context_used == session.position == 8
    assert stats.context_limit == 1024
    assert 0 < stats.prefill_seconds <= stats.first_token_seconds
    assert stats.tokens_per_second == 4 / stats.decode_seconds
    assert chat.turns[0].stats is stats
    assert stats.energy.provenance is Provenance.UNAVAILABLE
    assert stats.energy.reason == "this device reports no power"
    assert stats.joules_per_token.remedy


def test_energy_comes_from_the_device_where_no_source_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The answer is over sooner than a reading counts as old.
    monkeypatch.setattr("edge_sdk.monitor.FRESH_SECONDS", -1.0)

    def telemetry() -> Telemetry:
        return Telemetry({"power": Reading(5.0, "W", Provenance.MEASURED, "rail")})

    session = FakeSession(choose=scripted("tern"))
    session.device = cast(Device, SimpleNamespace(telemetry=telemetry))
    chat = Chat(session, sampling=GREEDY)
    list(chat.ask("x"))
    assert chat.stats.energy.provenance is Provenance.DERIVED
    assert chat.stats.energy.source == "rail"
    assert chat.stats.joules_per_token.available


def test_energy_comes_from_the_power_source() -> None:
    clock = iter(range(100))
    readings = 0

    def power() -> Reading:
        nonlocal readings
        readings += 1
        return Reading(5.0, "W", Provenance.MEASURED, "rail", timestamp=float(next(clock)))

    chat, _ = talk("tern" * 20, power=power)
    list(chat.ask("x"))
    stats = chat.stats
    # One reading before, one after; between them 80 tokens take far less than 0.2 s each.
    assert 2 <= readings < 80
    assert stats.energy.value == 5.0 * (readings - 1)
    assert stats.energy.source == "rail"
    assert stats.joules_per_token.value == pytest.approx(stats.energy.value / 80)
