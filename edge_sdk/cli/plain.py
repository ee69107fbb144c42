"""A conversation as lines of text or JSON, without drawing: for pipes, scripts, screen readers.

It knows stdin, stdout and stderr; edge_sdk.Chat answers. Answers and JSON go to stdout, everything
else to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from edge_sdk.cli.figures import seconds_since_start, stats_line, turn_record
from edge_sdk.cli.interrupt import stop_on_interrupt
from edge_sdk.cli.output import print_error, print_json
from edge_sdk.cli.turns import (
    check_prompt,
    nothing_to_answer,
    read_turns,
    refuse_control_characters,
)
from edge_sdk.errors import INTERRUPTED, EdgeError
from edge_sdk.safe_text import printable

if TYPE_CHECKING:
    from edge_sdk.chat import Chat
    from edge_sdk.sampling import Sampler

HELP = """\
/again  write the last answer anew
/more  go on with the last answer
/edit TEXT  ask TEXT in place of the last question
/undo  take the last turn back
/new   start a new conversation
/quit  end, as Ctrl+D does
/help  show this
Ctrl+C stops an answer. A line that starts with a blank is never a command."""


@dataclass
class PlainChat:
    """What to run, where, and how to print it."""

    model: str
    device: str
    sampling: Sampler
    max_tokens: int
    as_json: bool = False
    status: bool | None = None
    """Whether the device's readings go before each question; None leaves it to the model."""
    _first: bool = field(default=True, init=False)
    """Whether no answer was given yet."""

    def run(self, prompt: str | None = None) -> int:
        """Answer `prompt`, or else every line of stdin, in one conversation; the exit code.

        Ctrl+C stops the answer; what is written of it stays. Raises EdgeError, for bad input too.
        """
        if prompt is not None:
            turns = iter([check_prompt(prompt)])
        elif sys.stdin is None:  # closed by whoever started this
            raise nothing_to_answer()
        elif sys.stdin.isatty() and not self.as_json:
            return self._talk()
        else:
            turns = map(refuse_control_characters, read_turns(sys.stdin.buffer))
        # The first turn before the model: an empty pipe need not wait for it.
        first = next(turns, None)
        if not first:
            raise nothing_to_answer()
        with self._open() as chat:
            for text in chain([first], turns):
                if self._answer(chat, partial(chat.ask, text.strip())):
                    return INTERRUPTED
        return 0

    def _talk(self) -> int:
        """Lines from a terminal, with a prompt on stderr; Ctrl+D or /quit ends it."""
        with self._open() as chat:
            info = chat.session.device.info
            _say(f"{chat.session.model.name} on {info.uri} ({info.name}); /help shows the commands")
            for text in read_turns(sys.stdin.buffer, before=_show_prompt):
                if text == "/quit":
                    break
                try:
                    if text.startswith("/"):
                        self._command(chat, text)
                    else:
                        text = refuse_control_characters(text).strip()
                        self._answer(chat, partial(chat.ask, text))
                except EdgeError as error:
                    print_error(error.to_json())
        return 0

    def _command(self, chat: Chat, command: str) -> None:
        name, _, text = command.partition(" ")
        if name == "/again":
            self._answer(chat, chat.regenerate)
        elif name == "/more":
            self._answer(chat, chat.continue_answer)
        elif name == "/edit":
            text = refuse_control_characters(text).strip()
            self._answer(chat, partial(chat.edit, len(chat.turns) - 1, text))
        elif command == "/undo":
            undone = chat.undo() is not None
            _say("took the last turn back" if undone else "there is no turn to take back")
        elif command == "/new":
            chat.reset()
            _say("a new conversation")
        elif command == "/help":
            _say(HELP)
        else:
            _say(f"there is no command {command}; these are there:\n{HELP}")

    @contextmanager
    def _open(self) -> Iterator[Chat]:
        import edge_sdk
        from edge_sdk.monitor import Monitor

        with (
            # The model first: looking for a device takes longer than finding a name misspelt.
            edge_sdk.load_model(self.model) as model,
            edge_sdk.open_device(self.device) as device,
            closing(device.load(model)) as session,
        ):
            # Not started: without a screen, power is read when the chat asks.
            power = Monitor(device.telemetry).power
            yield edge_sdk.Chat(
                session,
                sampling=self.sampling,
                max_tokens=self.max_tokens,
                power=power,
                status=self.status,
            )

    def _answer(self, chat: Chat, start: Callable[..., Iterator[str]]) -> bool:
        """Print the answer that `start` begins, and its figures; True if Ctrl+C stopped it."""
        pieces: list[str] = []
        since_start: float | None = None
        with stop_on_interrupt() as stop:
            for piece in start(cancel=stop):
                if not pieces and self._first:
                    since_start = seconds_since_start()
                pieces.append(piece)
                if not self.as_json:
                    print(printable(piece), end="", flush=True)
            self._first = False
        answer = "".join(pieces)
        if self.as_json:
            print_json(turn_record(chat, answer))
        else:
            print("" if answer.endswith("\n") else "\n", end="", flush=True)
            _say(stats_line(chat, since_start))
        return stop.is_set()


def _show_prompt() -> None:
    print("> ", end="", file=sys.stderr, flush=True)


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)
