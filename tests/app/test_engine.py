"""The engine with the real conversation on sessions without a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from edge_sdk.app.backend import Options
from edge_sdk.app.comparing import Comparison
from edge_sdk.app.events import (
    Answered,
    Cleared,
    Failed,
    LaneUpdate,
    Lost,
    Moved,
    Opened,
    Ready,
    Starting,
    Warned,
)
from edge_sdk.errors import AccessError, DeviceDisconnected
from edge_sdk.history.store import History
from edge_sdk.sampling import Sampler
from tests.app.world import Heard, World

PATIENCE = 60.0


@pytest.fixture
def world() -> World:
    return World("first answer", "second answer", "third answer")


@pytest.fixture
def heard(world: World) -> Iterator[Heard]:
    heard = Heard(world.engine())
    heard.engine.start()
    yield heard
    heard.engine.close()


def ask(heard: Heard, text: str) -> Answered:
    heard.text = ""
    heard.engine.ask(text)
    return heard.until(Answered)


@pytest.fixture
def fresh_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers here are over sooner than a reading counts as old."""
    monkeypatch.setattr("edge_sdk.monitor.FRESH_SECONDS", -1.0)


def test_a_whole_conversation(world: World, heard: Heard, fresh_readings: None) -> None:
    assert heard.until(Starting).text == "opening cpu"
    assert heard.until(Opened).info.name == "Example CPU"
    assert heard.until(Ready).model.state_bytes == 96 * 1024
    answered = ask(heard, "one")
    assert answered.turn is not None
    assert (heard.text, answered.stopped, answered.turn.question) == ("first answer", False, "one")
    assert answered.figures.answer_tokens == len("first answer")
    assert answered.figures.energy.value is not None
    ask(heard, "two")
    feeds = world.feeds
    heard.engine.undo()
    undone = heard.until(Moved)
    assert (undone.kind, undone.done, undone.question, undone.fed) == ("undo", True, "two", 0)
    assert world.feeds == feeds, "undo must not feed anything"
    heard.engine.redo()
    assert heard.shown() == [("one", "first answer"), ("two", "second answer")]
    assert heard.until(Moved).done
    assert world.feeds == feeds, "redo must not feed anything"
    heard.text = ""
    heard.engine.regenerate(0)
    answered = heard.until(Answered)
    assert heard.text == "first answer"
    assert answered.turn is not None
    assert (answered.turn.place, answered.turn.places) == (1, 2)
    heard.engine.reset()
    heard.until(Cleared)
    heard.engine.undo()
    assert not heard.until(Moved).done


def test_branches_are_there_again_at_no_cost(world: World, heard: Heard) -> None:
    heard.until(Ready)
    ask(heard, "one")
    ask(heard, "two")
    heard.engine.edit(0, "uno")
    assert heard.until(Answered).turn is not None
    ask(heard, "dos")
    history, feeds = world.session.history, world.feeds
    heard.engine.branch(0, -1)
    assert [question for question, _ in heard.shown()] == ["one", "two"]
    assert heard.until(Moved).done
    heard.engine.branch(0, -1)
    assert not heard.until(Moved).done
    heard.engine.branch(0, 1)
    assert [question for question, _ in heard.shown()] == ["uno", "dos"]
    assert (world.session.history, world.feeds) == (history, feeds)
    heard.engine.go_back(0)
    assert [question for question, _ in heard.shown()] == ["uno"]
    assert world.feeds == feeds


def test_an_answer_goes_on(world: World, heard: Heard) -> None:
    heard.until(Ready)
    ask(heard, "one")
    heard.text = ""
    heard.engine.continue_answer(0, "fir")
    answered = heard.until(Answered)
    assert answered.turn is not None
    assert heard.text == answered.turn.answer == "first answer"
    assert answered.turn.places == 2


def test_stopped_before_the_first_token_the_old_turns_come_back(world: World, heard: Heard) -> None:
    heard.until(Ready)
    world.session.on_feed = lambda ids: heard.engine.stop()
    answered = ask(heard, "one")
    assert (answered.stopped, answered.turn, answered.back) == (True, None, False)
    world.session.on_feed = None
    ask(heard, "two")
    world.session.on_feed = lambda ids: heard.engine.stop()
    heard.engine.regenerate(0)
    assert heard.shown() == [("two", "first answer")]
    answered = heard.until(Answered)
    assert (answered.stopped, answered.turn, answered.back) == (True, None, True)


def test_a_question_that_is_refused_is_a_sentence_and_the_engine_goes_on(heard: Heard) -> None:
    heard.until(Ready)
    heard.engine.ask("x" * (1 << 20))
    failed = heard.until(Failed)
    assert (failed.exit_code, failed.fatal, failed.answering) == (2, False, True)
    heard.engine.regenerate(0)
    assert heard.until(Failed).exit_code in (1, 2)
    heard.engine.go_back(5)
    assert heard.until(Failed).exit_code == 2
    ask(heard, "short")


def test_the_conversation_moves_to_another_device_with_its_state(
    world: World, heard: Heard
) -> None:
    heard.until(Ready)
    ask(heard, "one")
    history = world.session.history
    heard.engine.switch("cuda:0", "fake")
    moved = heard.until(Moved)
    assert (moved.kind, moved.fed) == ("switch", 0)
    assert (world.opened, world.closed) == (["cpu", "cuda:0"], ["cpu"])
    assert (world.session.history, world.session.feeds) == (history, [])
    assert heard.engine.options.device == "cuda:0"
    ask(heard, "two")
    assert heard.text == "second answer"


def test_another_model_reads_the_text_and_back_again_nothing_is_fed(
    world: World, heard: Heard
) -> None:
    heard.until(Ready)
    ask(heard, "one")
    heard.engine.switch("cpu", "other")
    step = heard.until(Starting)
    while step.text != "reading the conversation":
        step = heard.until(Starting)
    assert step.total > 0
    moved = heard.until(Moved)
    assert moved.fed == world.session.position > 0
    text = world.session.model.tokenizer.decode(world.session.history)
    assert text == "User: one\nAssistant:first answer\n"
    assert (world.opened, world.closed) == (["cpu"], []), "the device stays open"
    heard.engine.switch("cpu", "fake")
    assert heard.until(Moved).fed == 0


@pytest.mark.parametrize("what", ["device", "model"])
def test_a_switch_that_fails_changes_nothing(world: World, heard: Heard, what: str) -> None:
    heard.until(Ready)
    ask(heard, "one")
    world.missing, world.too_large = {"cuda:0"}, {"other"}
    device, model = ("cuda:0", "fake") if what == "device" else ("cpu", "other")
    heard.engine.switch(device, model)
    failed = heard.until(Failed)
    assert not failed.fatal
    assert (heard.engine.options.device, heard.engine.options.model) == ("cpu", "fake")
    ask(heard, "two")
    assert heard.text == "second answer"


def test_a_switch_can_be_cancelled(world: World, heard: Heard) -> None:
    heard.until(Ready)
    ask(heard, "one")
    load = world.load

    def load_and_stop(model: Any, progress: Any) -> Any:
        heard.engine.stop()
        return load(model, progress)

    world.load = load_and_stop  # type: ignore[method-assign]
    heard.engine.switch("cuda:0", "other")
    assert "Cancelled" in heard.until(Warned).message
    assert world.closed == ["cuda:0"]
    ask(heard, "two")
    assert heard.text == "second answer"


def test_a_start_that_failed_is_mended_by_another_choice(world: World) -> None:
    world.missing = {"cpu"}
    heard = Heard(world.engine())
    heard.engine.start()
    assert heard.until(Failed).fatal
    heard.engine.ask("one")
    assert heard.until(Failed).fatal
    heard.engine.switch("cuda:0", "fake")
    heard.until(Ready)
    ask(heard, "one")
    heard.engine.close()


def unplug(world: World) -> None:
    def gone(ids: Sequence[int]) -> None:
        raise DeviceDisconnected("the board went away.", hint="plug it in.")

    world.session.on_feed = gone
    world.missing.add("cpu")


def test_a_device_that_went_away_is_found_again(
    world: World, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.app.engine.RETRY_SECONDS", 0.01)
    heard.until(Ready)
    ask(heard, "one")
    history = world.session.history
    unplug(world)
    heard.engine.ask("two")
    failed = heard.until(Failed)
    assert (failed.exit_code, failed.answering, failed.fatal) == (5, True, False)
    heard.until(Lost)
    world.missing.clear()
    moved = heard.until(Moved)
    assert (moved.kind, moved.fed) == ("reconnect", 0)
    assert world.closed == ["cpu"], "the port is let go first"
    assert world.session.history == history
    ask(heard, "two")
    assert heard.text == "second answer"


def test_asking_while_the_device_is_away_is_a_sentence(world: World, heard: Heard) -> None:
    heard.until(Ready)
    ask(heard, "one")
    unplug(world)
    heard.engine.ask("two")
    heard.until(Failed)
    heard.engine.ask("two")
    failed = heard.until(Failed)
    assert (failed.exit_code, failed.fatal) == (3, False)
    world.missing.clear()
    ask(heard, "two")
    assert heard.text == "second answer"


def test_after_a_restart_the_last_conversation_goes_on(world: World, heard: Heard) -> None:
    heard.until(Ready)
    ask(heard, "one")
    ask(heard, "two")
    heard.engine.undo()
    heard.until(Moved)
    heard.engine.close()
    again = Heard(world.engine(resume=True))
    again.engine.start()
    assert again.shown() == [("one", "first answer")]
    assert again.until(Moved).fed == 0
    assert world.session.feeds == []
    again.engine.redo()
    assert again.shown()[1] == ("two", "second answer")
    ask(again, "three")
    assert again.text == "third answer"
    again.engine.close()


def test_a_conversation_of_the_history_is_opened(world: World, heard: Heard) -> None:
    heard.until(Ready)
    ask(heard, "one")
    heard.engine.reset()
    ask(heard, "another")
    assert heard.engine.history is not None
    found = heard.engine.history.search("one")
    heard.engine.open(found[0].key)
    assert heard.shown() == [("one", "first answer")]
    heard.engine.open(12345)
    assert heard.until(Failed).exit_code == 3
    ask(heard, "two")
    assert heard.text == "second answer"
    assert [entry.turns for entry in heard.engine.history.conversations()] == [2, 1]


def test_what_was_never_answered_is_not_kept(world: World, heard: Heard) -> None:
    heard.until(Ready)
    world.session.on_feed = lambda ids: heard.engine.stop()
    ask(heard, "never mind")
    assert heard.engine.history is not None
    assert heard.engine.history.conversations() == []


def test_without_a_history_file_it_is_said_once_and_goes_on(world: World) -> None:
    def unusable() -> History:
        raise AccessError("the disk is full.")

    world.open_history = unusable
    heard = Heard(world.engine())
    heard.engine.start()
    assert "the disk is full" in heard.until(Warned).message
    heard.until(Ready)
    ask(heard, "one")
    ask(heard, "two")
    assert heard.engine.history is None
    heard.engine.undo()
    assert heard.until(Moved).done
    heard.engine.close()


def test_other_settings_hold_for_the_next_answer(world: World, heard: Heard) -> None:
    heard.until(Ready)
    ask(heard, "one")
    history = world.session.history
    options = Options("x", "x", Sampler(temperature=0.0), max_tokens=5, system="Be brief.")
    heard.engine.configure(options)
    ask(heard, "two")
    assert heard.text == "secon"
    assert world.session.history[: len(history)] == history
    assert (heard.engine.options.device, heard.engine.options.model) == ("cpu", "fake")
    heard.engine.reset()
    ask(heard, "three")
    decoded = world.session.model.tokenizer.decode(world.session.history)
    assert decoded == "Be brief.\nthreefirst"


def test_two_devices_are_compared_and_the_conversation_is_untouched(
    world: World, heard: Heard, fresh_readings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.app.comparing.IDLE_SECONDS", 0.0)
    heard.until(Ready)
    ask(heard, "one")
    session, history = world.session, world.session.history
    world.missing = {"metal"}
    heard.engine.compare(Comparison("what?", ("cpu", "cuda:0", "metal"), 40))
    last: dict[int, LaneUpdate] = {}
    while not all(lane in last and last[lane].done for lane in range(3)):
        event = heard.until(LaneUpdate)
        last[event.lane] = event
    assert last[0].text == last[1].text == "first answer"
    assert last[0].watts is not None
    assert last[0].watts.value is not None
    assert (last[0].status, last[2].status) == ("done", "no metal. plug it in.")
    assert (world.opened, world.closed) == (["cpu", "cuda:0"], ["cuda:0"])
    assert session.history == history
    ask(heard, "two")
    assert heard.text == "second answer"


def test_closing_lets_go_of_everything(world: World, heard: Heard, tmp_path: Path) -> None:
    heard.until(Ready)
    heard.engine.close()
    assert world.closed == ["cpu"]
    cast(Any, heard.engine)._thread.join(PATIENCE)


def test_auto_becomes_the_device_that_it_meant(world: World) -> None:
    opened = world.open_device

    def open_device(uri: str) -> Any:
        return opened("cpu" if uri == "auto" else uri)

    world.open_device = open_device  # type: ignore[method-assign]
    heard = Heard(world.engine(device="auto"))
    heard.engine.start()
    heard.until(Ready)
    assert heard.engine.options.device == "cpu"
    heard.engine.switch("cpu", "other")
    heard.until(Ready)
    assert world.opened == ["cpu"], "the device stays open"
    heard.engine.close()
