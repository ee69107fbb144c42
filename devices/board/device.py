"""A board, opened: what it is, the model on it, its telemetry.

It knows the order of things from the first HELLO to a session; it does not know ports or frames.
"""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Self

from edge_sdk.device import DeviceInfo, Progress
from edge_sdk.devices.board.client import Client
from edge_sdk.devices.board.options import Options
from edge_sdk.devices.board.program import MemoryImage, compile_model
from edge_sdk.devices.board.protocol import Hello
from edge_sdk.devices.board.rate import divisor, greet, raise_rate
from edge_sdk.devices.board.session import BoardSession
from edge_sdk.devices.board.telemetry import BoardSensors
from edge_sdk.devices.board.transport import Transport
from edge_sdk.devices.board.upload import upload
from edge_sdk.errors import EdgeError, LinkError, UnsupportedOperation, VerifyFailed
from edge_sdk.firmware_images.contract import isa
from edge_sdk.firmware_images.contract.manifest import SIMULATED
from edge_sdk.firmware_images.contract.wire import DEFAULT_BAUD, REQUESTS, Type
from edge_sdk.model_file import Model
from edge_sdk.telemetry import Provenance, Reading, Telemetry


class BoardDevice:
    """See edge_sdk.device.Device. One session at a time: the state is on the board."""

    def __init__(self, client: Client, hello: Hello, uri: str, options: Options) -> None:
        self.client = client
        self.hello = hello
        """What the board said when it was opened."""
        self._uri = uri
        self._options = options
        self._sensors = BoardSensors(client, hello, options.shunt_ohms)
        self._session: BoardSession | None = None
        self._image: MemoryImage | None = None
        self._closed = False

    @classmethod
    def open(cls, transport: Transport, uri: str, options: Options) -> BoardDevice:
        """Greet the board behind `transport` and raise the rate; closes the transport on failure.

        Raises DeviceTimeout if no board answers, LinkError for one that cannot be used.
        """
        client = Client(transport)
        try:
            hello = greet(client)
            if hello.isa != isa.VERSION:
                raise LinkError(
                    f"the board has instructions of version {hello.isa}, this is {isa.VERSION}.",
                    hint="flash the image of this version of Edge SDK: `edge-sdk flash`.",
                )
            hello = raise_rate(client, hello, options.baud)
        except BaseException:
            client.close()
            raise
        return cls(client, hello, uri, options)

    @property
    def info(self) -> DeviceInfo:
        """What `list_devices` shows of it."""
        return describe(self.hello, self._uri, self.client.transport.baud)

    def load(self, model: Model, *, progress: Progress | None = None) -> BoardSession:
        """Make `model` ready to run: compiled for this board, and uploaded unless it is there.

        Raises OutOfMemory with the arithmetic if it does not fit, VerifyFailed for faulty memory.
        """
        if self._closed:
            raise UnsupportedOperation(f"the device {self._uri} is closed.", hint="open it again.")
        if self._session is not None:
            raise UnsupportedOperation(
                f"a model runs on {self._uri} already, and a board runs one at a time.",
                hint="close its session first.",
            )
        if not self.hello.memory_good:
            raise VerifyFailed(
                f"the memory of the board {self._uri} failed its own test at power-on.",
                hint="switch it off and on; if it persists, the memory or its clock is at fault.",
            )
        image = self.compiled(model, progress)
        self.hello = self.client.hello()
        upload(self.client, self.hello, image.data, image.sha256, progress)
        self._session = BoardSession(self, model, image, self._options.candidates)
        return self._session

    def compiled(self, model: Model, progress: Progress | None) -> MemoryImage:
        """The image of `model`, compiled once for this device."""
        if self._image is None or self._image.model != model.sha256:
            self._image = compile_model(
                model, self.hello.geometry, memory_bytes=self.hello.memory, progress=progress
            )
        return self._image

    def telemetry(self) -> Telemetry:
        """Power, memory, counters now; a reading that cannot be had says why."""
        readings = dict(self._sensors.read().readings)
        session = self._session
        if session is not None:
            readings["device_memory"] = Reading(
                float(session.image_bytes), "B", Provenance.DERIVED, "memory image of the model"
            )
            if session.tokens:
                cycles = session.cycles / session.tokens
                readings["board_speed"] = Reading(
                    self.hello.clock_hz / cycles,
                    "tok/s",
                    Provenance.DERIVED,
                    f"{cycles:.0f} cycles a token at {self.hello.clock_hz / 1e6:.0f} MHz, "
                    "without the line",
                )
        return Telemetry(readings)

    def forget(self, session: BoardSession) -> None:
        """A session tells that it is closed."""
        if self._session is session:
            self._session = None

    def close(self) -> None:
        """Close the session and let the port go; the model stays on the board."""
        if self._closed:
            return
        self._closed = True
        if self._session is not None:
            self._session.close()
        # So that the next host is answered at once, at the rate that it begins with.
        cycles = divisor(self.hello.clock_hz, DEFAULT_BAUD)
        baud = self.client.transport.baud
        if cycles is not None and baud is not None and baud != DEFAULT_BAUD:
            with suppress(EdgeError):
                payload = REQUESTS[Type.SET_BAUD].pack(cycles)
                self.client.request(Type.SET_BAUD, payload, patience=0.0)
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def describe(hello: Hello, uri: str, baud: int | None) -> DeviceInfo:
    """A board as `list_devices` shows it."""
    simulated = SIMULATED in hello.features
    engine = ", ".join(name for name in hello.features if name != SIMULATED)
    name = f"virtual {hello.board}{f' ({engine})' if engine else ''}" if simulated else hello.board
    details = {
        "build": hello.build,
        "clock": f"{hello.clock_hz / 1e6:g} MHz",
        "lanes": str(hello.geometry.lanes),
        "model": hello.model.hex()[:16] if hello.model else "none",
    }
    if hello.features:
        details["features"] = ", ".join(hello.features)
    if baud is not None:
        details["baud"] = str(baud)
    return DeviceInfo(
        uri=uri,
        name=name,
        kind="simulator" if simulated else "board",
        usable=True,
        memory=hello.memory,
        details=details,
    )
