from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.errors import UsageError
from edge_sdk.uri import MAX_LENGTH, DeviceURI


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", DeviceURI("auto")),
        ("cpu", DeviceURI("cpu")),
        ("  CPU ", DeviceURI("cpu")),
        ("cuda:0", DeviceURI("cuda", "0")),
        ("serial:id=A50285BI", DeviceURI("serial", "id=A50285BI")),
        ("serial:COM3", DeviceURI("serial", "COM3")),
        (
            "serial:/dev/ttyUSB0?baud=3000000",
            DeviceURI("serial", "/dev/ttyUSB0", {"baud": "3000000"}),
        ),
        ("serial:///dev/ttyUSB0", DeviceURI("serial", "/dev/ttyUSB0")),
        ("socket://host:3333", DeviceURI("socket", "//host:3333")),
        ("sim:ulx3s-85f?a=1&b=2", DeviceURI("sim", "ulx3s-85f", {"a": "1", "b": "2"})),
    ],
)
def test_a_uri_is_read(text: str, expected: DeviceURI) -> None:
    assert DeviceURI.parse(text) == expected
    assert DeviceURI.parse(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("   ", "empty"),
        (None, "no text"),
        (7, "no text"),
        (":0", "kind of device"),
        ("1cpu", "kind of device"),
        ("two words", "kind of device"),
        ("cpu?threads", "key=value"),
        ("cpu?a=1&a=2", "twice"),
        ("cpu\n", "control"),
        ("cpu\x1b[2J", "control"),
        ("a" * (MAX_LENGTH + 1), "longer"),
    ],
)
def test_a_malformed_uri_is_refused_with_valid_examples(text: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        DeviceURI.parse(text)

    hint = caught.value.hint or ""
    assert "'cpu'" in hint
    assert "serial:/dev/ttyUSB0?baud=3000000" in hint
    assert str(caught.value).isprintable()


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert DeviceURI.parse(text).scheme


@given(
    st.sampled_from(["cpu", "cuda", "serial", "x1+y.z-"]),
    st.text("ABYZabyz0189./_-=", max_size=20).filter(lambda target: target[:3] != "///"),
    st.dictionaries(st.text("abz_", min_size=1, max_size=4), st.text("az09.", min_size=1)),
)
def test_what_is_written_is_read_back(scheme: str, target: str, options: dict[str, str]) -> None:
    uri = DeviceURI(scheme, target, options)

    assert DeviceURI.parse(str(uri)) == uri
