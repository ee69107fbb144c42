"""What may follow the question mark of a board's URI.

It knows names, ranges and their sentences; it does not know ports or boards.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from edge_sdk.errors import UsageError
from edge_sdk.firmware_images.contract.geometry import MAX_TOP_K
from edge_sdk.uri import DeviceURI

CANDIDATES = 24
"""Scores that a feed returns. Each is 6 bytes: with 24, a token's messages take 1.9 ms at 1 Mbaud,
less than a twentieth of the 43 ms that Tern's token takes at 75 MHz. A fixed number, so that the
same seed picks the same tokens on any line."""


@dataclass(frozen=True)
class Options:
    """`?baud=3000000&candidates=40&shunt=0.1`."""

    baud: int | None = None
    """The highest rate to try; None: the highest that works."""
    candidates: int = CANDIDATES
    """Scores that a feed returns, 1 to 64."""
    shunt_ohms: float | None = None
    """The shunt of a power monitor on the board's I2C pins."""


def read_options(uri: DeviceURI, others: Collection[str] = ()) -> Options:
    """The options of `uri`, which may have `others`, too; raises UsageError for any other."""
    known = ("baud", "candidates", "shunt", *others)
    for name in uri.options:
        if name not in known:
            raise UsageError(
                f"{str(uri)!r} has the option {name!r}; known are {', '.join(known)}.",
                hint="write it like 'serial:/dev/ttyUSB0?baud=3000000'.",
            )
    baud = _whole(uri, "baud", 9600, 12_000_000)
    candidates = _whole(uri, "candidates", 1, MAX_TOP_K)
    return Options(baud, candidates or CANDIDATES, _ohms(uri))


def _whole(uri: DeviceURI, name: str, least: int, most: int) -> int | None:
    text = uri.options.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
        raise _off(uri, name, f"a whole number from {least} to {most}")
    return int(text)


def _ohms(uri: DeviceURI) -> float | None:
    text = uri.options.get("shunt")
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1e-5 <= value <= 1e3:
        raise _off(uri, "shunt", "ohms from 0.00001 to 1000")
    return value


def _off(uri: DeviceURI, name: str, expected: str) -> UsageError:
    return UsageError(
        f"the option {name} of {str(uri)!r} is {uri.options[name]!r}; expected {expected}.",
        hint="leave it out to use the default.",
    )
