"""A conversation with a model: questions in, pieces of text out, every turn undone at no cost.

It knows turns and the session's state before each of them; it does not know devices, terminals or
how a turn is written as ids (prompt.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence

from edge_sdk.chat_stats import ChatStats
from edge_sdk.device import Cancelled, Progress, Session, State
from edge_sdk.errors import ModelRejected, UsageError
from edge_sdk.monitor import Monitor
from edge_sdk.prompt import PromptWriter, clean_prompt
from edge_sdk.rereading import plan, read_again
from edge_sdk.sampling import Sampler
from edge_sdk.status_line import LiveStatus, StatusSource, may_ask_for_readings
from edge_sdk.telemetry import Reading
from edge_sdk.turn_writer import TurnWriter
from edge_sdk.turns import Turn

__all__ = ["Chat", "ChatStats", "Turn"]


class Chat:
    """A conversation on a session, which it has to itself from the zero state on.

    After each turn the session's state is the one that feeding all turns' ids at once would give.
    One thread asks; `stop` and `stats` may be used from others.
    """

    def __init__(
        self,
        session: Session,
        *,
        sampling: Sampler | None = None,
        max_tokens: int = 256,
        system: str | None = None,
        context_limit: int = 1024,
        stop: Sequence[str] = (),
        power: Callable[[], Reading] | None = None,
        status: StatusSource | bool | None = None,
    ) -> None:
        """Begin a conversation; resets the session.

        max_tokens: longest answer. system: text in front of the first question. context_limit:
        see `ask`. stop: texts that end an answer, beside the model's own. power: gives watts, for
        the energy in `stats`, and is asked at most every 0.2 s; None takes the device's telemetry.
        status: see `status`; None turns it on for a model whose template says that it knows it, and
        then only for the second question and where one may be about the device.
        Raises UnsupportedOperation if the model has no tokenizer, UsageError for an odd limit.
        """
        _positive("max_tokens", max_tokens)
        _positive("context_limit", context_limit)
        self.session = session
        self.turns: list[Turn] = []
        """The conversation, oldest first; change it with the methods only."""
        self._max_tokens = max_tokens
        self._context_limit = context_limit
        model, cleaned = session.model, clean_prompt(system) if system else None
        self._writer = PromptWriter(model.tokenizer, model.chat_template, cleaned)
        self._turn_writer = TurnWriter(
            session,
            self._writer,
            Sampler() if sampling is None else sampling,
            (*self._writer.stop_texts, *filter(None, stop)),
            context_limit,
            Monitor(session.device.telemetry).power if power is None else power,
        )
        self.status: StatusSource | None = None
        """Gives the line of live readings before each question (status_line.py); None: no line.

        May be changed between turns. `Turn.user` never holds the line; of turns that are fed again
        the oldest has the readings of now, the others none.
        """
        self._status_always = status is not None
        if status is True or (status is None and session.model.chat_template.status):
            self.status = LiveStatus(session).line
        elif callable(status):
            self.status = status
        self._cancel = threading.Event()
        self._running: Generator[str, None, None] | None = None
        self._owed: State | None = None
        session.reset()
        self.stats = ChatStats(context_limit)
        """The figures of the answer that is being written, or of the last one."""

    def ask(
        self, text: str, *, cancel: threading.Event | None = None, max_tokens: int | None = None
    ) -> Iterator[str]:
        """Iterate over the pieces of the answer to `text`; joined they are the answer.

        A piece has whole characters only, no control tokens and no part of a text that ends an
        answer. The answer may be ended early by `cancel`, `stop`, the end of the iteration, or
        the next call of a method; what is written then stays as the turn. Cancelled before the
        question was taken in, there is no turn and the state is as before. After an error of the
        device too, which passes through.

        Where the question and an answer (counted as a quarter of the limit at most) would go over
        context_limit, the state is reset and the last turns that fit into half of it are fed
        again; `stats.context_trimmed` tells how many were left out.

        Raises UsageError at once for a text that is empty or longer than 256 KiB; control
        characters except tab and newline are left out of it.
        """
        text = clean_prompt(text)
        self._settle()
        return self._begin(text, cancel, max_tokens, len(self.turns))

    def edit(
        self,
        index: int,
        text: str,
        *,
        cancel: threading.Event | None = None,
        max_tokens: int | None = None,
    ) -> Iterator[str]:
        """Like `ask`, but in place of turn `index`, from the state before that turn.

        The turns from there on go when the answer begins, and come back if it could not begin.
        Raises UsageError at once where there is no such turn.
        """
        self._settle()
        self._turn_at(index)
        return self._begin(clean_prompt(text), cancel, max_tokens, index)

    def regenerate(
        self, *, cancel: threading.Event | None = None, max_tokens: int | None = None
    ) -> Iterator[str]:
        """Answer the last question anew, as `edit` does; raises UsageError if there is none."""
        self._settle()
        last = len(self.turns) - 1
        return self._begin(self._turn_at(last).user, cancel, max_tokens, last)

    def continue_answer(
        self,
        text: str | None = None,
        *,
        index: int | None = None,
        cancel: threading.Event | None = None,
        max_tokens: int | None = None,
    ) -> Iterator[str]:
        """Go on writing an answer, in place of turn `index` (default: the last one).

        text: what the answer so far is to be; None leaves it as it is. Iterates over all pieces of
        the new answer, so the first begins with that text. Of it, what follows a text that ends an
        answer is cut off, and an end that may begin one is left for the model to write again.
        The question and the answer so far are fed again. Otherwise as `edit`.
        """
        self._settle()
        index = len(self.turns) - 1 if index is None else index
        turn = self._turn_at(index)
        kept = self._writer.answer_so_far(turn.assistant if text is None else text)
        ids = self._writer.answer(kept)
        if kept == turn.assistant:
            # Exactly what the model wrote: other ids may spell the same text.
            ids = list(turn.ids[turn.question_tokens : len(turn.ids) - turn.closing_tokens])
        return self._begin(turn.user, cancel, max_tokens, index, ids)

    def stop(self) -> None:
        """End the answer after the token in work; from any thread, at any time."""
        self._cancel.set()

    def undo(self) -> Turn | None:
        """Take the last turn back and return it, or None; restores the state, feeds nothing."""
        self._settle()
        if not self.turns:
            return None
        self.session.restore(self.turns[-1].before)
        turn = self.turns.pop()
        self.stats = self._last_stats()
        return turn

    def resume(
        self,
        turns: Sequence[Turn],
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Make `turns` the conversation: an earlier one, another branch, or another device's.

        The state after the last turn is restored and nothing is fed; returns 0. Where that state
        is another model's, the turns that fit are fed again as text, `progress` tells how far, and
        the number of ids fed is returned. Cancelled meanwhile, or after an error of the device,
        the conversation is as before; raises edge_sdk.device.Cancelled, or the error.
        """
        self._settle()
        turns, state, fed = list(turns), self.session.snapshot(), 0
        try:
            if not turns:
                self.session.reset()
            elif not self._takes(turns[-1].after):
                spelt = plan(
                    turns, self._writer, self._context_limit, self._max_tokens, self._status_now()
                )
                turns = read_again(self.session, spelt, cancel, progress)
                fed = self.session.position
        except BaseException:
            self._put_back(state)
            raise
        self.turns[:] = turns
        self.stats = self._last_stats()
        return fed

    def reset(self) -> None:
        """Begin a new conversation."""
        self._settle()
        self.session.reset()
        self.turns.clear()
        self.stats = self._last_stats()

    def _turn_at(self, index: int) -> Turn:
        if not self.turns:
            raise UsageError("there is no answer to write again.", hint="ask something first.")
        if not 0 <= index < len(self.turns):
            raise UsageError(
                f"there is no turn {index}; the conversation has {len(self.turns)}.",
                hint="count from 0.",
            )
        return self.turns[index]

    def _takes(self, state: State) -> bool:
        """Restore `state` if it is of the session's model."""
        if state.model != self.session.model.sha256:
            return False
        try:
            self.session.restore(state)
        except ModelRejected:
            # The same model, but a device that keeps its state in another form.
            return False
        return True

    def _begin(
        self,
        text: str,
        cancel: threading.Event | None,
        max_tokens: int | None,
        index: int,
        kept: Sequence[int] = (),
    ) -> Iterator[str]:
        limit = self._max_tokens if max_tokens is None else max_tokens
        _positive("max_tokens", limit)
        self._settle()
        self._cancel.clear()
        flag = self._cancel if cancel is None else _Either(self._cancel, cancel)
        self._running = self._answer(text, flag, limit, index, kept)
        return self._running

    def _settle(self) -> None:
        """End an answer that is not read to its end, and put right what an error left."""
        running, self._running = self._running, None
        if running is not None:
            try:
                running.close()
            except ValueError:
                self._running = running
                raise UsageError(
                    "an answer is still being written.",
                    hint="call stop() and read the answer to its end first.",
                ) from None
        if self._owed is not None:
            self.session.restore(self._owed)
            self._owed = None

    def _answer(
        self, text: str, flag: threading.Event, limit: int, index: int, kept: Sequence[int]
    ) -> Generator[str, None, None]:
        turns, state = list(self.turns), self.session.snapshot()
        before = state
        try:
            if index < len(turns):
                before = turns[index].before
                del self.turns[index:]
                self.session.restore(before)
            stats = self.stats = ChatStats(self._context_limit, context_used=before.position)
            told = self._tells(text)
            yield from self._turn_writer.write(
                self.turns, text, before, kept, stats, limit, flag, self._status_now, told
            )
        except GeneratorExit:
            # The reader left; the turn is already kept.
            raise
        except BaseException as error:
            self.turns[:] = turns
            self._put_back(state)
            if not isinstance(error, Cancelled):
                self.stats = self._last_stats()
                raise
            self.stats.stop_reason = "cancelled"
            self.stats.context_used = state.position

    def _status_now(self) -> str:
        if self.status is None:
            return ""
        speed = self.turns[-1].stats.tokens_per_second if self.turns else None
        return self.status(speed or None)

    def _tells(self, text: str) -> bool:
        """Whether the readings stand before the question `text`.

        Before the second in any case: a model that meets them late in a chat, as it was never
        trained to, makes up those that are missing. A greeting is answered better without.
        """
        if self._status_always:
            return True
        # "And now?" goes on with what was asked before.
        near = [text, *(turn.user for turn in self.turns[-1:])]
        start = self.turns[-1].context_start if self.turns else 0
        return len(self.turns) - start == 1 or any(map(may_ask_for_readings, near))

    def _last_stats(self) -> ChatStats:
        return self.turns[-1].stats if self.turns else ChatStats(self._context_limit)

    def _put_back(self, state: State) -> None:
        try:
            self.session.restore(state)
        except Exception:
            # The device is gone; the error that says so is on its way. Try again before it is used.
            self._owed = state


class _Either(threading.Event):
    """Set when one of two flags is."""

    def __init__(self, first: threading.Event, second: threading.Event) -> None:
        super().__init__()
        self._flags = (first, second)

    def is_set(self) -> bool:
        return any(flag.is_set() for flag in self._flags)


def _positive(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(
            f"{name} is {value!r}; expected a whole number from 1.",
            hint="leave it out to use the default.",
        )
