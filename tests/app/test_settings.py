"""Settings: the file, the form, themes and keys."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from textual.widgets import Input, Select, Static, TextArea

import edge_sdk
from edge_sdk.app import keys
from edge_sdk.app.backend import Backend, Options
from edge_sdk.app.chat_app import EdgeChatApp
from edge_sdk.app.screens.settings import SettingsScreen
from edge_sdk.app.settings import Settings, load, save, settings_file
from edge_sdk.errors import AccessError, UsageError
from edge_sdk.sampling import Sampler
from tests.app.conftest import Driver, running
from tests.app.fakes import engine
from tests.app.test_screens import seen, shows


def test_what_is_kept_comes_back() -> None:
    assert load() == (Settings(), [])
    settings = Settings(
        temperature=0.0,
        seed=3,
        system="Be brief.\n“ü”",
        theme="edge-light",
        keys={"chat.new": "f9"},
    )
    save(settings)
    assert load() == (settings, [])
    assert "top_k" not in settings_file().read_text("utf-8"), "defaults may change later"
    save(Settings())
    assert json.loads(settings_file().read_text("utf-8")) == {}


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '"x"', '{"a":' * 5000, "\udcff"])
def test_a_damaged_file_is_told_and_costs_nothing(content: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_bytes(content.encode("utf-8", "surrogateescape"))
    settings, troubles = load()
    assert settings == Settings()
    assert len(troubles) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("temperature", "hot"),
        ("temperature", True),
        ("top_k", 1.5),
        ("max_tokens", 0),
        ("max_tokens", None),
        ("context_limit", 3),
        ("system", 3),
        ("system", "x" * 9000),
        ("meters", "huge"),
        ("tell", "perhaps"),
        ("theme", ""),
        ("keys", ["a"]),
        ("keys", {"a": 1}),
        ("other", 1),
    ],
)
def test_a_value_out_of_range_costs_that_value_only(name: str, value: Any) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(json.dumps({"top_p": 0.5, name: value, "seed": 1}))
    settings, troubles = load()
    assert settings == Settings(top_p=0.5, seed=1)
    assert len(troubles) == 1
    assert name in troubles[0]


@given(
    st.dictionaries(
        st.sampled_from([*Settings.__annotations__, "x"]),
        st.none()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.integers())
        | st.dictionaries(st.text(), st.text()),
    )
)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_file_gives_settings_that_can_be_used(raw: dict[str, Any]) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text(json.dumps(raw))
    settings, _ = load()
    settings.check()
    assert isinstance(settings.sampler(), Sampler)


@pytest.mark.parametrize(("tell", "status"), [("model", None), ("on", True), ("off", False)])
def test_the_model_is_told_the_readings_as_it_is_set(
    tell: str, status: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(edge_sdk, "Chat", lambda session, **rest: made.append(rest))
    options = Options("m", "d", Sampler(), 9, status=Settings(tell=tell).status())
    Backend().make_chat(cast(Any, None), options, cast(Any, SimpleNamespace(power=None)))
    assert made[0]["status"] is status


def test_a_folder_that_cannot_be_written_is_a_sentence(own_home: Path) -> None:
    (own_home / "config").write_text("a file")
    with pytest.raises(AccessError):
        save(Settings())


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"chat.nothing": "f9"}, "nothing called"),
        ({"chat.new": "ctrl+r"}, "2 things"),
        ({"turn.copy": "e"}, "2 things"),
    ],
)
def test_keys_that_make_no_sense_are_refused(chosen: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        keys.check(chosen)


def test_every_key_has_an_id_and_can_be_another_one() -> None:
    ids = [id for id, _, _ in keys.choices()]
    assert len(ids) == len(set(ids)) > 15
    for id in ids:
        keys.check({id: "f12"})
    keys.check({"chat.new": "ctrl+r", "chat.regenerate": "ctrl+n"})


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_the_form_is_taken_and_kept(size: tuple[int, int]) -> None:
    async def scenario() -> None:
        async with running(size=size) as driver:
            await driver.press("f6")
            await shows(driver, SettingsScreen)
            screen = driver.app.screen
            for name, value in (("temperature", "0"), ("seed", "7"), ("max_tokens", "12")):
                screen.query_one(f"#{name}", Input).value = value
            screen.query_one("#system", TextArea).text = "Be brief."
            screen.query_one("#theme", Select).value = "edge-contrast"
            new = [id for id, _, _ in keys.choices()].index("chat.new")
            screen.query_one(f"#key-{new}", Input).value = "f9"
            await driver.press("ctrl+s")
            await driver.until(lambda: driver.app.screen is driver.screen)
            await driver.until(lambda: driver.app.engine.options.max_tokens == 12)
            options = driver.app.engine.options
            assert (options.system, options.sampling.seed) == ("Be brief.", 7)
            assert driver.app.theme == "edge-contrast"
            await driver.ask("one")
            await driver.press("f9")
            await driver.until(lambda: not driver.transcript.turns)
        settings, troubles = load()
        assert troubles == []
        assert (settings.temperature, settings.seed, settings.max_tokens) == (0.0, 7, 12)
        assert settings.keys == {"chat.new": "f9"}

    asyncio.run(scenario())


def test_a_form_that_does_not_fit_says_so_and_escape_leaves_all() -> None:
    async def scenario() -> None:
        async with running() as driver:
            await driver.press("f6")
            await shows(driver, SettingsScreen)
            screen = driver.app.screen
            field = screen.query_one("#temperature", Input)
            detail = screen.query_one(".dialog-detail", Static)
            field.value = "x"
            await driver.press("ctrl+s")
            await driver.until(lambda: "expected a number" in str(detail.render()))
            field.value = "-1"
            await driver.press("ctrl+s")
            await driver.until(lambda: "0 to 100" in str(detail.render()))
            await driver.press("escape")
            await driver.until(lambda: driver.app.screen is driver.screen)
            assert driver.app.settings == Settings()
            assert not settings_file().exists()

    asyncio.run(scenario())


def test_a_theme_of_the_palette_is_kept() -> None:
    async def scenario() -> None:
        async with running() as driver:
            driver.app.theme = "edge-light"
            await driver.until(settings_file().exists)
        assert load()[0].theme == "edge-light"

    asyncio.run(scenario())


@pytest.mark.parametrize("meters", ["panel", "line", "off"])
def test_meters_as_a_panel_a_line_or_not_at_all(meters: str) -> None:
    async def scenario() -> None:
        app = EdgeChatApp(engine(), Settings(meters=meters))
        async with app.run_test(size=(120, 40)) as pilot:
            driver = Driver(app, pilot)
            await driver.until(lambda: driver.prompt.accepts)
            await driver.ask("one")
            await pilot.pause(0.2)
            assert ("POWER" in seen(driver)) is (meters == "panel")
            assert ("· 38 of 1024" in seen(driver)) is (meters == "line")

    asyncio.run(scenario())


def test_settings_that_make_no_sense_do_not_keep_the_app_from_starting() -> None:
    async def scenario() -> None:
        odd = replace(Settings(), theme="no such theme", keys={"chat.new": "ctrl+r"})
        app = EdgeChatApp(engine(), odd)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            driver = Driver(app, pilot)
            await driver.until(lambda: driver.prompt.accepts)
            assert app.theme == "edge"
            await driver.until(lambda: "keys of the settings were left out" in seen(driver))

    asyncio.run(scenario())
