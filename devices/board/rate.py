"""Which baud rate a board and its host use: tried upwards, and back when the line is bad.

It knows the rates and the order of a change; it does not know ports or messages' layouts.
"""

from __future__ import annotations

from functools import partial

from edge_sdk.devices.board.client import Client
from edge_sdk.devices.board.protocol import Hello
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.errors import DeviceTimeout, LinkError
from edge_sdk.firmware_images.contract.wire import DEFAULT_BAUD, REQUESTS, Type

RATES = (3_000_000, 2_000_000, 1_000_000, 500_000)
"""What USB-serial chips can do, best first. 3 Mbaud is the most of an FT231X."""
TOLERANCE = 0.02
"""How far the two ends may be apart: a byte is sampled ten bits long."""
TRIAL_SECONDS = 0.3
"""How long a board may take to answer the first HELLO at a new rate."""


def divisor(clock_hz: int, baud: int) -> int | None:
    """Clock cycles a bit for `baud`, or None where the clock does not divide near enough."""
    cycles = round(clock_hz / baud)
    if not 4 <= cycles <= 0xFFFF or abs(clock_hz / cycles / baud - 1) > TOLERANCE:
        return None
    return cycles


def greet(client: Client) -> Hello:
    """The first HELLO, whatever rate an earlier host has left: at the default, after a break.

    Raises DeviceTimeout in less than a second where no board answers.
    """
    try:
        return client.hello(TRIAL_SECONDS)
    except DeviceTimeout:
        return reset_rate(client)


def reset_rate(client: Client) -> Hello:
    """Both ends back to the default rate, by a break; raises DeviceTimeout."""
    client.transport.send_break()
    if client.transport.baud is not None:
        client.transport.set_baud(DEFAULT_BAUD)
    return client.hello(TRIAL_SECONDS)


def raise_rate(client: Client, hello: Hello, most: int | None = None) -> Hello:
    """The highest of RATES up to `most` at which the board answers; the default if none does.

    `most`, if given, is tried itself, too. Returns the last HELLO. Raises LinkError if the board
    cannot be reached at the default rate any more.
    """
    transport = client.transport
    if transport.baud is None:
        return hello
    rates = [rate for rate in RATES if most is None or rate < most]
    for rate in ([most] if most else []) + rates:
        cycles = divisor(hello.clock_hz, rate)
        if cycles is None or rate == transport.baud:
            continue
        try:
            client.request(Type.SET_BAUD, REQUESTS[Type.SET_BAUD].pack(cycles))
            transport.set_baud(rate)
            hello = client.hello(TRIAL_SECONDS)
        except (Refused, LinkError):
            # The board, the port or the cable cannot do it.
            hello = reset_rate(client)
        else:
            client.slow_down = partial(step_down, client)
            return hello
    client.slow_down = None
    return hello


def step_down(client: Client) -> bool:
    """Where nothing gets through any more: the next lower rate; False at the lowest."""
    rate = client.transport.baud
    if rate is None or rate <= DEFAULT_BAUD:
        return False
    hello = reset_rate(client)
    lower = next((known for known in RATES if known < rate), None)
    if lower is not None:
        raise_rate(client, hello, lower)
    return True
