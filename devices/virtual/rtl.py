"""The compiled RTL as a board's engine: the gateware itself speaks the protocol.

It knows how long to let the simulation run for a reply; `edge_sdk.firmware_images.simulation` runs
it. Cycle counts are exact: *cycle-accurate simulation*.
"""

from __future__ import annotations

from edge_sdk.device import Progress
from edge_sdk.devices.board.kinds import BoardKind
from edge_sdk.devices.board.link import Decoder
from edge_sdk.devices.virtual.engine import Sent
from edge_sdk.errors import LinkError

CONFIGURATION = "ulx3s"
SLICE_CYCLES = 1 << 20
MOST_CYCLES = 1 << 34
"""More than 64 tokens under the watchdog; a gateware that is silent for so long is broken."""


class RtlEngine:
    """See engine.Engine."""

    name = "compiled RTL"

    def __init__(self, kind: BoardKind, progress: Progress | None = None) -> None:
        """Compile the gateware if that was not done yet; takes a minute or two the first time.

        Raises MissingExtra without the extra `gateware`, EdgeError without a C++ compiler.
        """
        from edge_sdk.firmware_images.simulation import Simulation

        report = progress or (lambda what, done, total: None)
        self.clock_hz = kind.clock_hz
        self._simulation = Simulation(CONFIGURATION, progress=lambda what: report(what, 0, 0))
        self._asked, self._answered = Decoder(), Decoder()

    def receive(self, data: bytes) -> list[Sent]:
        """See engine.Engine.receive: every good frame has one reply."""
        self._simulation.push(data)
        return [self._reply() for _ in self._asked.feed(data)]

    def _reply(self) -> Sent:
        out, cycles = b"", 0
        while cycles < MOST_CYCLES:
            cycles += self._simulation.run(SLICE_CYCLES, until_frame=True)
            data = self._simulation.pop()
            out += data
            if self._answered.feed(data):
                return Sent(out, cycles)
        raise LinkError(
            f"the simulated gateware did not answer within {MOST_CYCLES} cycles.",
            hint="this is a fault in the gateware; report it.",
        )

    def close(self) -> None:
        """See engine.Engine.close."""
        self._simulation.close()
