"""Turns what is known about device, model and answer into the lines of the panel.

It knows which figure stands in which line; it does not know widgets, nor how a figure was obtained.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from edge_sdk.app.events import Figures, ModelFacts
from edge_sdk.app.figures import (
    UNKNOWN,
    Figure,
    bars,
    figure,
    quantity,
    seconds,
    sentence,
    short_reason,
    size_of_whole,
)
from edge_sdk.device import DeviceInfo
from edge_sdk.safe_text import printable
from edge_sdk.telemetry import Reading, Telemetry

NEARLY_FULL = 0.8
"""From this share of the context on, the panel says so."""

HISTORY_BARS = 34


@dataclass
class Facts:
    """All that the panel and the status line show; None where nothing is known yet."""

    info: DeviceInfo | None = None
    model: ModelFacts | None = None
    telemetry: Telemetry = field(default_factory=lambda: Telemetry({}))
    watts: list[float] = field(default_factory=list)
    idle: Reading | None = None
    figures: Figures | None = None

    def reading(self, name: str) -> Reading | None:
        """A reading of the device by name."""
        return self.telemetry.readings.get(name)


def context(facts: Facts) -> Figure:
    """Tokens taken in of those that a conversation may have before it is shortened."""
    figures = facts.figures
    if figures is None:
        return Figure(UNKNOWN, "", "Context: nothing has been asked yet.")
    used, limit = figures.context_used, figures.context_limit
    detail = (
        f"Context: {used} of {limit} tokens. Beyond them the oldest turns are left out; "
        "the state has one size, however long the conversation is."
    )
    if figures.context_trimmed:
        return Figure(
            f"{used} of {limit}", "shortened", f"{detail} Left out: {_left_out(figures)}."
        )
    return Figure(
        f"{used} of {limit}", "nearly full" if used >= NEARLY_FULL * limit else "tokens", detail
    )


def _left_out(figures: Figures) -> str:
    count = figures.context_trimmed
    return f"{count} oldest turn{'' if count == 1 else 's'}"


def note(figures: Figures, *, stopped: bool, kept: bool) -> str:
    """The line under an answer: whether it was stopped, its length, speed and cost."""
    if stopped and not kept:
        return "stopped before the first word"
    parts = ["stopped"] if stopped else []
    parts.append(f"{figures.answer_tokens} token{'' if figures.answer_tokens == 1 else 's'}")
    if figures.tokens_per_second:
        parts.append(quantity(figures.tokens_per_second, "tok/s"))
    if figures.joules_per_token.available:
        energy = figure(figures.joules_per_token, "Energy")
        parts.append(f"{energy.value}/token {energy.mark}")
    if figures.context_trimmed:
        parts.append(f"{_left_out(figures)} left out")
    return "  ·  ".join(parts)


def power(facts: Facts) -> dict[str, Figure | None]:
    """Watts now, in the mean and at rest, and the energy of the last answer."""
    figures = facts.figures
    energy = figures.energy if figures else None
    per_token = figures.joules_per_token if figures else None
    return {
        "power": figure(facts.reading("power"), "Power now"),
        "mean": _mean(facts),
        "rest": _rest(facts),
        "energy": figure(energy, "Energy of this answer, idle power included"),
        "per-token": figure(per_token, "Energy per token, idle power included"),
        "net": _net(facts),
    }


def _mean(facts: Facts) -> Figure | None:
    """Mean of the watts that the bars show."""
    now = facts.reading("power")
    if now is None or now.value is None or len(facts.watts) < 2:
        return None
    mean = replace(now, value=sum(facts.watts) / len(facts.watts), period=None)
    return figure(mean, f"Mean power of the last {len(facts.watts)} readings")


def _rest(facts: Facts) -> Figure | None:
    """What the device draws while nothing runs; it is part of all the other figures."""
    idle = facts.idle
    if idle is None or idle.value is None:
        return None
    return figure(idle, "Mean power while nothing ran, a part of the other figures")


def _net(facts: Facts) -> Figure | None:
    """Energy a token above what the device draws at rest, where both are known."""
    figures, idle = facts.figures, facts.idle
    if figures is None or idle is None or idle.value is None or figures.energy.value is None:
        return None
    if figures.answer_tokens < 1:
        return None
    elapsed = figures.prefill_seconds + figures.decode_seconds
    joules = (figures.energy.value - idle.value * elapsed) / figures.answer_tokens
    text = f"Energy per token above the {quantity(idle.value, 'W')} that the device draws at rest."
    return Figure(quantity(joules, "J"), figures.energy.provenance.value, text)


def memory(facts: Facts) -> dict[str, Figure | None]:
    """Bytes of process, machine, device, model file and state; None hides a line."""
    used, total = facts.reading("machine_memory"), facts.reading("machine_memory_total")
    machine = figure(used, "Memory in use on the whole machine")
    if used and total and used.value is not None and total.value is not None:
        machine = Figure(size_of_whole(used.value, total.value), machine.mark, machine.detail)
    device = facts.reading("device_memory")
    model = facts.model
    return {
        "process-memory": figure(facts.reading("process_memory"), "Memory of this process"),
        "machine-memory": machine,
        "device-memory": figure(device, "Memory in use on the device") if device else None,
        "model-file": Figure(
            quantity(model.file_bytes, "B"), "on disk", "Size of the packed model file."
        )
        if model
        else None,
        "state": Figure(
            quantity(model.state_bytes, "B"),
            "any length",
            f"Recurrent state: {quantity(model.state_bytes, 'B')} whatever the length of the "
            "conversation, so undo and branching cost nothing.",
        )
        if model
        else None,
    }


def speed(facts: Facts) -> dict[str, Figure | None]:
    """Tokens a second while reading and answering, and the time to the first token."""
    figures, board = facts.figures, facts.reading("board_speed")
    on_board = figure(board, "Speed of the board itself") if board else None
    if figures is None:
        nothing = Figure(UNKNOWN, "", "Speed: nothing has been asked yet.")
        return {
            "decode": nothing,
            "board-speed": on_board,
            "prefill": nothing,
            "first-token": nothing,
        }
    unknown = Figure(UNKNOWN, "", "Too short to tell.")
    prefill = first = decode = unknown
    if figures.tokens_per_second:
        decode = Figure(
            quantity(figures.tokens_per_second, "tok/s"),
            "measured",
            f"Decode: {figures.answer_tokens} tokens in {seconds(figures.decode_seconds)}.",
        )
    if figures.prefill_seconds > 0:
        prefill = Figure(
            quantity(figures.prefill_per_second, "tok/s"),
            "measured",
            f"Prefill: {figures.prompt_tokens} tokens in {seconds(figures.prefill_seconds)}.",
        )
    if figures.first_token_seconds > 0:
        first = Figure(
            seconds(figures.first_token_seconds), "measured", "Time from enter to the first token."
        )
    return {
        "decode": decode,
        "board-speed": on_board,
        "prefill": prefill,
        "first-token": first,
    }


def condition(facts: Facts) -> dict[str, Figure | None]:
    """How warm and how busy the device is; None hides a line."""
    warmth, load = facts.reading("temperature"), facts.reading("utilisation")
    return {
        "temperature": figure(warmth, "Temperature of the device") if warmth else None,
        "busy": figure(load, "Share of the device that is in use") if load else None,
    }


def history(facts: Facts) -> str:
    """Bars of the last half minute, or in their place why there are none."""
    power = facts.reading("power")
    if power is not None and power.value is None:
        return sentence(short_reason(power))
    return bars(facts.watts, HISTORY_BARS)


def device(facts: Facts) -> str:
    """URI, name, details such as the kernel tier, and the model."""
    if facts.info is None:
        return ""
    info, model = facts.info, facts.model
    lines = [f"{info.uri}  {info.name}" if info.name != info.uri else info.uri]
    lines += [f"{name}: {value}" for name, value in info.details.items()]
    if model is not None:
        lines.append(f"{model.name}, {model.parameters / 1e6:.1f} M parameters")
    return "\n".join(printable(line, newlines=False) for line in lines)


def summary(facts: Facts) -> str:
    """One line for small screens, most important first: the end may be cut off."""
    watts, figures, parts = facts.reading("power"), facts.figures, []
    if watts is not None:
        line = figure(watts, "Power")
        parts.append(f"{line.value} {line.mark}" if watts.available else "power unavailable")
    if figures is not None:
        energy = figure(figures.joules_per_token, "Energy")
        if figures.joules_per_token.available:
            parts.append(f"{energy.value}/tok {energy.mark}")
        if figures.tokens_per_second:
            parts.append(quantity(figures.tokens_per_second, "tok/s"))
        used = context(facts)
        parts.append(used.value if used.mark == "tokens" else f"{used.value} {used.mark}".strip())
    process = facts.reading("process_memory")
    if process is not None and process.value is not None:
        parts.append(quantity(process.value, "B"))
    return " · ".join(parts)
