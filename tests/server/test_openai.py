"""The official client, unchanged, talks with the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import openai
import pytest

from edge_sdk.errors import DeviceDisconnected
from tests.fake_session import letters, turn
from tests.server.conftest import TOKEN, Server

USER = [{"role": "user", "content": "one"}]


def ask(server: Server, messages: list[dict[str, str]] | None = None, **options: object):  # type: ignore[no-untyped-def]
    return server.client.chat.completions.create(  # type: ignore[call-overload]
        model="fake", messages=messages or USER, temperature=0, **options
    )


def test_models(server: Server) -> None:
    assert [model.id for model in server.client.models.list()] == ["fake"]
    assert server.client.models.retrieve("fake").owned_by == "edge-sdk"
    with pytest.raises(openai.NotFoundError):
        server.client.models.retrieve("gpt")


def test_an_answer_with_what_it_took(server: Server) -> None:
    reply = ask(server)
    assert reply.choices[0].message.content == "first answer"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.prompt_tokens == len([2, *letters("one"), 3])
    assert reply.usage.completion_tokens == len("first answer")
    energy = reply.usage.energy
    assert (energy["unit"], energy["provenance"], energy["source"]) == ("J", "derived", "a meter")
    assert energy["value"] > 0
    assert reply.usage.joules_per_token["value"] == pytest.approx(energy["value"] / 12)


def test_a_stream(server: Server) -> None:
    chunks = list(ask(server, stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "first answer"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == 12
    assert len({c.id for c in chunks}) == 1
    assert all(c.usage is None for c in ask(server, stream=True))


def test_the_next_question_of_a_conversation_is_all_that_is_fed(server: Server) -> None:
    ask(server)
    server.session.feeds.clear()
    talk = [*USER, {"role": "assistant", "content": "first answer"}]
    reply = ask(server, [*talk, {"role": "user", "content": "two"}])
    assert reply.choices[0].message.content == "second one"
    assert server.session.feeds[0] == [2, *letters("two"), 3]
    assert reply.usage.prompt_tokens_details.cached_tokens == len(turn("one", "first answer"))
    assert reply.usage.prompt_tokens == len(turn("one", "first answer")) + 5


def test_a_conversation_from_elsewhere_is_read(server: Server) -> None:
    talk = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": [{"type": "text", "text": "c"}]},
    ]
    reply = ask(server, talk)  # type: ignore[arg-type]
    expected = [*turn("Be brief.\na", "b"), 2, *letters("c"), 3]
    assert list(server.session.history[: len(expected)]) == expected
    assert reply.usage.prompt_tokens_details.cached_tokens == 0
    assert reply.usage.prompt_tokens == len(expected)


def test_length_stop_and_seed(server: Server) -> None:
    reply = ask(server, max_tokens=5)
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("first", "length")
    reply = ask(server, max_completion_tokens=2)
    assert reply.choices[0].message.content == "fi"
    reply = ask(server, stop=["ans", "zzz"])
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("first ", "stop")
    ask(server, seed=3, top_p=0.5, frequency_penalty=0, n=1)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages"),
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"temperature": -1}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"stop": [""]}, "stop"),
    ],
)
def test_what_cannot_be_met_is_refused_by_name(
    server: Server, options: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        server.client.chat.completions.create(  # type: ignore[call-overload]
            **{"model": "fake", "messages": USER} | options
        )
    assert refused.value.param == param


def test_another_model_is_not_here(server: Server) -> None:
    with pytest.raises(openai.NotFoundError, match="this server has 'fake'"):
        server.client.chat.completions.create(model="gpt-4o", messages=USER)  # type: ignore[arg-type]


def test_a_token_is_the_api_key(locked_server: Server) -> None:
    assert ask(locked_server).choices[0].message.content == "first answer"
    locked_server.token = "wrong"
    with pytest.raises(openai.AuthenticationError):
        ask(locked_server)


class Gate:
    """Holds the session at each feed until it is opened."""

    def __init__(self, server: Server) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        server.session.on_feed = self.hold

    def hold(self, ids: Sequence[int]) -> None:
        self.entered.set()
        assert self.open.wait(30)


def test_one_answer_at_a_time_and_when_to_try_again(server: Server) -> None:
    gate = Gate(server)
    replies: list[str] = []
    thread = threading.Thread(target=lambda: replies.append(ask(server).choices[0].message.content))
    thread.start()
    assert gate.entered.wait(30)
    with pytest.raises(openai.RateLimitError) as busy:
        ask(server)
    assert busy.value.response.headers["retry-after"] == "1"
    gate.open.set()
    thread.join(30)
    assert replies == ["first answer"]
    assert ask(server).choices[0].message.content == "first answer"


@pytest.mark.parametrize("stream", [True, False])
def test_the_answer_of_a_client_that_left_is_stopped(server: Server, stream: bool) -> None:
    fed: list[int] = []

    def slowly(ids: Sequence[int]) -> None:
        fed.append(len(ids))
        time.sleep(0.02)

    server.session.on_feed = slowly
    server.session.choose = lambda history: 70
    client = server.client.with_options(timeout=60 if stream else 0.5)
    options: Any = {"model": "fake", "messages": USER, "max_tokens": 100_000, "stream": stream}
    if stream:
        answer = client.chat.completions.create(**options)
        next(iter(answer))
        answer.close()
    else:
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(**options)
    client.close()
    deadline = time.monotonic() + 30
    while True:
        try:
            ask(server, max_tokens=1)
            break
        except openai.RateLimitError:
            assert time.monotonic() < deadline, "the answer was never stopped"
            time.sleep(0.02)
    assert len(fed) < 2000


def test_a_device_that_fails_is_an_error_and_the_server_goes_on(server: Server) -> None:
    def gone(ids: Sequence[int]) -> None:
        raise DeviceDisconnected("the board went away.", hint="plug it in.")

    server.session.on_feed = gone
    with pytest.raises(openai.InternalServerError, match="went away"):
        ask(server)
    left = [3]

    def later(ids: Sequence[int]) -> None:
        left[0] -= 1
        if left[0] < 0:
            gone(ids)

    server.session.on_feed = later
    with pytest.raises(openai.APIError, match="went away"):
        list(ask(server, stream=True))
    server.session.on_feed = None
    assert server.place is not None
    assert server.place.gone == 2, "it is opened again for the next request"
    assert ask(server).choices[0].message.content == "first answer"


def test_the_token_of_the_fixture_is_long_enough() -> None:
    assert len(TOKEN) >= 16
