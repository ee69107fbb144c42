"""The line of live readings: its form, where it comes from, and what Chat does with it."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, strategies

from edge_sdk.chat import Chat
from edge_sdk.device import Device
from edge_sdk.evaluation.prompts import all_prompts
from edge_sdk.status_line import FIELDS, Readings, may_ask_for_readings, put_before, read
from edge_sdk.telemetry import Provenance, Reading, Telemetry
from tests.fake_session import GREEDY, MARKED, FakeSession, byte_tokenizer, fake_model, scripted

NUMBER = strategies.floats(0, 1e5)


def test_the_form_that_the_model_was_trained_on() -> None:
    full = Readings(power=8.42, memory=212.4e6, speed=41.2, backend="cpu", temp=51.6)
    assert full.line() == "[power 8.4 W, memory 212 MB, speed 41 tok/s, backend cpu, temp 52 C]"
    assert Readings(power=120.4, speed=3.21).line() == "[power 120 W, speed 3.2 tok/s]"
    assert Readings().line() == "" and put_before("", "Hi") == "Hi"
    assert put_before("[temp 4 C]", "Hi") == "[temp 4 C]\nHi"


@given(*[strategies.none() | NUMBER] * 4)
def test_fields_keep_their_order_and_are_plain_numbers(
    power: float | None, memory: float | None, speed: float | None, temp: float | None
) -> None:
    seen = Readings(power, memory, speed, "gpu", temp)
    names = [field.split()[0] for field in seen.line().strip("[]").split(", ")]
    assert names == [name for name in FIELDS if getattr(seen, name) is not None]
    for figure in replace(seen, backend=None).figures().values():
        assert re.fullmatch(r"\d+(\.\d)?", figure)


def _telemetry(**values: tuple[float | None, Provenance]) -> Telemetry:
    return Telemetry(
        {name: Reading(value, "", kind, "test") for name, (value, kind) in values.items()}
    )


def test_only_what_is_known_stands_in_it() -> None:
    measured, none = Provenance.MEASURED, Provenance.UNAVAILABLE
    told = _telemetry(
        power=(9.0, Provenance.ESTIMATED),
        temperature=(None, none),
        process_memory=(None, none),
        device_memory=(5e6, Provenance.DERIVED),
    )
    assert read(told, "board", None) == Readings(memory=5e6, backend="fpga")
    told = _telemetry(
        power=(9.0, measured), process_memory=(1e6, measured), device_memory=(2e6, measured)
    )
    assert read(told, "unheard of", 0.0) == Readings(power=9.0, memory=1e6)


def _chat(trained: bool = False, telemetry: Any = None, **options: Any) -> tuple[Chat, FakeSession]:
    session = FakeSession(
        fake_model(byte_tokenizer(), replace(MARKED, status=trained)), scripted("ok")
    )
    told = _telemetry(power=(7.5, Provenance.MEASURED))
    info = SimpleNamespace(kind="cpu")
    session.device = cast(Device, SimpleNamespace(telemetry=telemetry or (lambda: told), info=info))
    return Chat(session, sampling=GREEDY, **options), session


def _fed(session: FakeSession) -> str:
    return bytes(token - 4 for ids in session.feeds for token in ids if token > 3).decode()


@pytest.mark.parametrize(
    ("trained", "status", "expected"),
    [(False, None, False), (True, None, True), (True, False, False), (False, True, True)],
)
def test_it_is_off_unless_the_model_knows_it_or_it_is_asked_for(
    trained: bool, status: bool | None, expected: bool
) -> None:
    chat, session = _chat(trained, status=status)
    "".join(chat.ask("Watts?"))
    assert _fed(session).startswith("[power 7.5 W, backend cpu]\nWatts?") == expected
    assert chat.turns[0].user == "Watts?"


def _told(session: FakeSession) -> list[str]:
    """The questions before which a line was fed."""
    return re.findall(r"\[[^]]*\]\n([^?.!]*)", _fed(session))


def test_the_second_question_and_those_about_the_device_have_it() -> None:
    chat, session = _chat(trained=True)
    for question in ("Hello!", "Nice.", "Good.", "How warm is the chip?", "And now?", "Thanks."):
        "".join(chat.ask(question))
    assert _told(session) == ["Nice", "How warm is the chip", "And now"]


def test_turns_that_are_fed_again_begin_with_the_line_of_now() -> None:
    chat, session = _chat(trained=True, context_limit=160, max_tokens=4)
    questions = [f"Thing {number}." for number in range(10, 40)]
    for question in questions:
        session.feeds.clear()
        "".join(chat.ask(question))
        if chat.stats.context_trimmed:
            break
    oldest = chat.turns[chat.stats.context_trimmed].user
    assert oldest != question and _told(session) == [oldest.rstrip(".")]


def test_questions_on_readings_are_recognised() -> None:
    asked = [
        prompt.turns[-1]
        for prompt in all_prompts()
        if prompt.category in ("telemetry", "comparison")
    ]
    assert all(map(may_ask_for_readings, asked))
    others = (
        "Hello!",
        "What is the capital of Peru?",
        "Tell me a story about a fox.",
        "My name is Ida",
    )
    assert not any(map(may_ask_for_readings, others))


def test_the_next_line_has_the_speed_of_the_last_answer() -> None:
    chat, session = _chat(status=True)
    "".join(chat.ask("Hi"))
    "".join(chat.ask("Again"))
    assert re.search(r"\[power 7.5 W, speed [\d.]+ tok/s, backend cpu\]\nAgain", _fed(session))
    assert sum(map(len, session.feeds)) == session.position == len(session.history)


def test_an_application_may_give_its_own_line_and_turn_it_off() -> None:
    chat, session = _chat(status=lambda speed: "[power 1.0 W]")
    "".join(chat.ask("Hi"))
    chat.status = None
    "".join(chat.ask("Bye"))
    assert _fed(session) == "[power 1.0 W]\nHiokByeok"


def test_regenerate_and_undo_keep_the_plain_question() -> None:
    chat, _ = _chat(status=True)
    "".join(chat.ask("Hi"))
    "".join(chat.regenerate())
    undone = chat.undo()
    assert undone is not None and undone.user == "Hi" and not chat.turns


def test_a_sensor_that_fails_leaves_its_field_out() -> None:
    def fails() -> Telemetry:
        raise OSError("gone")

    chat, session = _chat(telemetry=fails, status=True)
    "".join(chat.ask("Hi"))
    assert _fed(session).startswith("[backend cpu]\nHi")
