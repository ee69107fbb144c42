from __future__ import annotations

import io
import json
import re

import pytest

from edge_sdk.cli import output, progress


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (4096, "4.1 KB"),
        (99_940, "99.9 KB"),
        (123_456, "123 KB"),
        (999_600, "1.0 MB"),
        (8_500_000, "8.5 MB"),
        (85_899_345_920, "85.9 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_bytes_are_readable(count: float, text: str) -> None:
    assert output.format_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0034, "3.4 ms"),
        (0.0124, "12 ms"),
        (0.9494, "949 ms"),
        (0.9996, "1.0 s"),
        (12.34, "12.3 s"),
    ],
)
def test_short_times_keep_two_digits(seconds: float, text: str) -> None:
    assert output.format_latency(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (75, "1 min 15 s"), (7380, "2 h 3 min")]
)
def test_times_are_readable(seconds: float, text: str) -> None:
    assert progress.format_seconds(seconds) == text


def test_a_table_is_aligned_and_inert(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(["A", "LONG"], [["\x1b[1mwide", "x"], ["b", "y\nz"]], [["note\x07"], []])

    assert capsys.readouterr().out == "A        LONG\n[1mwide  x\n         note\nb        y z\n"


def test_json_is_one_line_of_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"text": "é\n\x1b☃"})
    line = capsys.readouterr().out

    assert line.isascii()
    assert line.count("\n") == 1
    assert json.loads(line) == {"text": "é\n\x1b☃"}


@pytest.mark.parametrize(
    ("done", "total", "seconds", "text"),
    [
        (0, 40, 0.0, "weights: 0 %, 0 of 40"),
        (10, 40, 5.0, "weights: 25 %, 10 of 40, 15 s left"),
        (10, 40, 0.5, "weights: 25 %, 10 of 40"),
        (40, 40, 9.0, "weights: 100 %, 40 of 40"),
        (50, 40, 9.0, "weights: 100 %, 50 of 40"),
        (7, 0, 9.0, "weights: 7"),
        (25_000_000, 100_000_000, 10.0, "weights: 25 %, 25.0 MB of 100 MB, 30 s left"),
        (25_000_000, 0, 10.0, "weights: 25.0 MB"),
    ],
)
def test_progress_in_words(done: int, total: int, seconds: float, text: str) -> None:
    assert progress.describe("weights", done, total, seconds) == text


def test_progress_draws_over_one_line_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    screen = FakeTerminal()
    with progress.progress_bar(screen) as tell:
        tell("reading a very long name\x1b[2J", 1, 3)
        tell("reading a very long name\x1b[2J", 2, 3)
        tell("reading a very long name\x1b[2J", 3, 3)
        tell("writing", 1, 1)
    drawn = screen.getvalue().split("\r\x1b[2K")

    # The second came too soon after the first; the last of a step is always drawn.
    assert drawn == ["", "reading a very long", "reading a very long", "writing: 100 %, 1 o", ""]


@pytest.mark.parametrize(("kind", "term"), [(io.StringIO, "xterm"), (FakeTerminal, "dumb")])
def test_progress_writes_nothing_where_it_cannot_draw(
    kind: type[io.StringIO], term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    stream = kind()
    with progress.progress_bar(stream) as tell:
        tell("reading", 1, 2)

    assert not re.search(".", stream.getvalue())
