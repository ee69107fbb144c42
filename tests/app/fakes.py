"""A device, a model and a conversation that behave like the real ones, at a chosen pace.

They know edge_sdk's protocols; they do not compute anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Self, cast

from edge_sdk.app.engine import Backend, Engine, Options
from edge_sdk.device import DeviceInfo
from edge_sdk.errors import EdgeError
from edge_sdk.telemetry import Provenance, Reading, Telemetry

NO_POWER = Reading.unavailable(
    "W",
    "RAPL, hwmon, battery",
    "RAPL needs root since CVE-2020-8694; no power monitor chip; no battery",
    "run `sudo chmod a+r /sys/class/powercap/*/energy_uj`.",
)
POWER = Reading(12.34, "W", Provenance.DERIVED, "RAPL, 1 CPU package", "package", period=0.5)
ANSWER = ["A tern is ", "a **slender** ", "sea bird.\n\n", "It flies ", "very far."]


def memory() -> dict[str, Reading]:
    def measured(value: float, scope: str) -> Reading:
        return Reading(value, "B", Provenance.MEASURED, "operating system", scope)

    return {
        "process_memory": measured(212 * 2**20, "process"),
        "machine_memory": measured(2.1 * 2**30, "machine"),
        "machine_memory_total": measured(8 * 2**30, "machine"),
    }


@dataclass
class FakeDevice:
    """Reads `power` and some memory."""

    power: Reading = POWER
    fail_load: Exception | None = None
    closed: bool = False
    info: DeviceInfo = field(
        default_factory=lambda: DeviceInfo(
            "cpu", "Example CPU", "cpu", True, details={"kernels": "clang, AVX2"}
        )
    )

    def load(self, model: Any, *, progress: Callable[[str, int, int], None]) -> Any:
        progress("compiling kernels", 1, 2)
        if self.fail_load is not None:
            raise self.fail_load
        return SimpleNamespace(model=model, device=self)

    def telemetry(self) -> Telemetry:
        return Telemetry({"power": self.power, **memory()})

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


@dataclass
class FakeChat:
    """Streams `pieces`; with `gate` it waits for the test before each piece but the first."""

    pieces: list[str] = field(default_factory=lambda: list(ANSWER))
    gate: threading.Semaphore | None = None
    pace: float = 0.0
    energy: Reading = field(
        default_factory=lambda: Reading(4.2, "J", Provenance.DERIVED, "RAPL, 1 CPU package")
    )
    fail: Exception | None = None
    turns: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._tokens = 0

    def ask(self, text: str, cancel: threading.Event | None = None) -> Iterator[str]:
        self._stop = cancel or threading.Event()
        self.asked.append(text)
        answer = ""
        self._tokens = 0
        for piece in self.pieces:
            if self.gate is not None and answer:
                while not self.gate.acquire(timeout=0.01) and not self._stop.is_set():
                    pass
            if self._stop.wait(self.pace):
                break
            answer += piece
            self._tokens += 1
            yield piece
            if self.fail is not None:
                raise self.fail
        if answer:
            self.turns.append(SimpleNamespace(user=text, assistant=answer))

    def regenerate(self, cancel: threading.Event | None = None) -> Iterator[str]:
        old = self.turns.pop()
        try:
            yield from self.ask(old.user, cancel)
        finally:
            if not self._tokens or self.fail is not None:
                self.turns.append(old)

    def undo(self) -> Any:
        return self.turns.pop() if self.turns else None

    @property
    def answers(self) -> list[tuple[str, str]]:
        return [(turn.user, turn.assistant) for turn in self.turns]

    def reset(self) -> None:
        self.turns.clear()

    @property
    def stats(self) -> Any:
        per_token = self.energy
        if self.energy.value is not None:
            per_token = Reading(
                self.energy.value / max(self._tokens, 1),
                "J/token",
                self.energy.provenance,
                self.energy.source,
            )
        return SimpleNamespace(
            prompt_tokens=7,
            answer_tokens=self._tokens,
            prefill_seconds=0.1,
            decode_seconds=0.2,
            first_token_seconds=0.12,
            tokens_per_second=41.2,
            context_used=38 * len(self.turns),
            context_limit=1024,
            context_trimmed=0,
            energy=self.energy,
            joules_per_token=per_token,
        )


def fake_model(name: str) -> Any:
    config = SimpleNamespace(num_layers=8, hidden_size=512, parameters=31_510_000)
    return SimpleNamespace(name=name, config=config, file_size=8_500_000, weight_bytes=7_000_000)


def engine(
    chat: FakeChat | None = None,
    device: FakeDevice | None = None,
    *,
    opening: EdgeError | None = None,
) -> Engine:
    """An engine whose three doors lead to fakes; `opening` is raised by the first."""
    chat, device = chat or FakeChat(), device or FakeDevice()

    def open_device(uri: str) -> Any:
        if opening is not None:
            raise opening
        return device

    backend = Backend(open_device, fake_model, lambda session, options, monitor: cast(Any, chat))
    return Engine(Options("tern", "cpu", cast(Any, None), 256), backend)
