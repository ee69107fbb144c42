"""The line of live readings that Chat puts before a question, in the form that Tern was trained on.

It knows the line's fields and their rounding, and how to fill them from telemetry; it does not
know turns, tokens or sensors.

    [power 8.4 W, memory 212 MB, speed 41 tok/s, backend cpu, temp 52 C]

A field stands there only if its figure is known: measured or derived, never estimated.

The line costs some twenty-five tokens, a second on a small board. So, unless it is always asked
for, it stands before questions that may be about the device, and once near the beginning of a chat:
a model that meets its first line late makes up what the line lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from edge_sdk.device import Session
from edge_sdk.monitor import PATIENCE_SECONDS, Monitor
from edge_sdk.telemetry import Provenance, Telemetry

FIELDS = ("power", "memory", "speed", "backend", "temp")
"""In the line's order."""
BACKENDS = {"cpu": "cpu", "gpu": "gpu", "board": "fpga", "simulator": "simulator"}
"""The line's word for each kind of device."""


_ABOUT_THE_DEVICE = re.compile(
    r"""\b(?:
        watt | power | energ | electric | current | volt | juice | joule | consum | thirst | hungry
      | memor | ram\b | [mg]b\b | (?:mega|giga|kilo)?byte | mega | footprint | occup | space | room
      | speed | fast | quick | slow | pace | rate\b | rapid | swift | sprint | tok | per\ second
      | a\ second | each\ second | throughput
      | temp | warm | hot | heat | cool | cold | degree | celsius | thermo | sweat | chill | burn
      | chip | process | cpu | gpu | fpga | graphics | board | hardware | silicon | backend | engine
      | device | machine | computer | gadget | box | sensor | simulat | emulat | real\b
      | reading | figure | number | status | state | stat | gauge | meter | measur | condition
      | load | usage | using | use\b | uses\b | used\b | take\b | takes\b | taking | need | draw
      | pull | eat | run | work | comput | batter | fan\b | disk | network | signal | limit | boil
      | overheat | sluggish | instrument | data\b | value | bulb | adapter | supply | charger | hood
    ) | \d\s*[wck]\b""",
    re.IGNORECASE | re.VERBOSE,
)


def may_ask_for_readings(question: str) -> bool:
    """Whether a question may be about the device: it holds a word of power, memory, speed, heat,
    hardware or measuring. Meant to miss none rather than to be exact."""
    return bool(_ABOUT_THE_DEVICE.search(question))


@dataclass(frozen=True)
class Readings:
    """What is known at one moment; None is unknown."""

    power: float | None = None
    """Watts."""
    memory: float | None = None
    """Bytes that this process (on a board without one: the model) takes."""
    speed: float | None = None
    """Tokens a second of the last answer."""
    backend: str | None = None
    """One of the words in BACKENDS."""
    temp: float | None = None
    """Degrees Celsius."""

    def figures(self) -> dict[str, str]:
        """Each known field's figure as the line spells it, without its unit, in order."""
        shown = {
            "power": None if self.power is None else _watts(self.power),
            "memory": None if self.memory is None else f"{self.memory / 1e6:.0f}",
            "speed": None if self.speed is None else _rate(self.speed),
            "backend": self.backend,
            "temp": None if self.temp is None else f"{self.temp:.0f}",
        }
        return {name: figure for name, figure in shown.items() if figure is not None}

    def line(self) -> str:
        """The line in its brackets, or "" if nothing is known."""
        fields = [write_field(name, figure) for name, figure in self.figures().items()]
        return f"[{', '.join(fields)}]" if fields else ""


_UNITS = {"power": " W", "memory": " MB", "speed": " tok/s", "backend": "", "temp": " C"}


def write_field(name: str, figure: str) -> str:
    """One field of the line: `power`, "8.4" -> "power 8.4 W"."""
    return f"{name} {figure}{_UNITS[name]}"


def put_before(line: str, question: str) -> str:
    """The user's turn as the model reads it."""
    return f"{line}\n{question}" if line else question


def read(telemetry: Telemetry, kind: str, speed: float | None = None) -> Readings:
    """Fill the fields; `kind` is DeviceInfo.kind, `speed` that of the last answer, if any."""
    memory = _known(telemetry, "process_memory")
    return Readings(
        power=_known(telemetry, "power"),
        memory=_known(telemetry, "device_memory") if memory is None else memory,
        speed=speed or None,
        backend=BACKENDS.get(kind),
        temp=_known(telemetry, "temperature"),
    )


class LiveStatus:
    """Writes the line for a session's device, reading its sensors each time."""

    def __init__(self, session: Session) -> None:
        self._kind = session.device.info.kind
        self._monitor = Monitor(session.device.telemetry)

    def line(self, speed: float | None) -> str:
        """The line now; a sensor that fails or hangs leaves its field out."""
        return read(self._monitor.sample(PATIENCE_SECONDS), self._kind, speed).line()


StatusSource = Callable[[float | None], str]
"""Gives the line, asked with the tokens a second of the last answer (None before the first)."""


def _known(telemetry: Telemetry, name: str) -> float | None:
    reading = telemetry.readings.get(name)
    if reading is None or reading.provenance is Provenance.ESTIMATED:
        return None
    return reading.value


def _watts(watts: float) -> str:
    return f"{watts:.1f}" if watts < 99.95 else f"{watts:.0f}"


def _rate(rate: float) -> str:
    return f"{rate:.1f}" if rate < 9.95 else f"{rate:.0f}"
