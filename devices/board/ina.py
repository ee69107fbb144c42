"""Watts from an INA219 or INA226 monitor chip on a board's I2C pins.

It knows the registers of the two chips (Texas Instruments SBOS448, SBOS547); it does not know what
the chip is wired to, nor the link.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_sdk.telemetry import Provenance, Reading

ADDRESSES = range(0x40, 0x50)
"""What the two address pins of both chips can select."""
_CONFIGURATION, _SHUNT, _BUS, _MAKER = 0x00, 0x01, 0x02, 0xFE
_TEXAS_INSTRUMENTS = 0x5449
_INA219_RESET = 0x399F
_OTHER = "an unknown chip"
SOURCE = "INA219 or INA226 on the board's I2C pins"

ReadRegister = Callable[[int, int], int | None]
"""(address, register) to its 16 bits, or None where nothing answers."""


@dataclass(frozen=True)
class Chip:
    """A monitor chip that answers."""

    name: str
    address: int
    shunt_volts: float
    """Of one step of the shunt register."""
    bus_volts: float
    """Of one step of the bus register, after `bus_shift`."""
    bus_shift: int


def find(read: ReadRegister) -> Chip | str | None:
    """The first monitor chip; else what answers instead, in words; else None."""
    strange = None
    for address in ADDRESSES:
        configuration = read(address, _CONFIGURATION)
        if configuration is None:
            continue
        if read(address, _MAKER) == _TEXAS_INSTRUMENTS:
            return Chip("INA226", address, 2.5e-6, 1.25e-3, 0)
        if configuration == _INA219_RESET:
            return Chip("INA219", address, 10e-6, 4e-3, 3)
        strange = f"{_OTHER} at {address:#04x}"
    return strange


def watts(read: ReadRegister, found: Chip | str | None, shunt_ohms: float | None) -> Reading:
    """Volts times amperes now, or unavailable with why and what to do."""
    if not isinstance(found, Chip):
        what = f"only {found} answers" if found else "no power monitor answers"
        return _no(
            f"{what} on the board's I2C pins",
            "wire an INA219 or INA226 into its supply and to those pins; see docs/boards.md.",
        )
    if shunt_ohms is None:
        return _no(
            f"an {found.name} answers, but the resistance of its shunt is not known",
            "add it to the device's name, e.g. ?shunt=0.1 for 0.1 ohm.",
        )
    shunt, bus = read(found.address, _SHUNT), read(found.address, _BUS)
    if shunt is None or bus is None:
        return _no(f"the {found.name} stopped answering", "check its wiring.")
    signed = shunt - 0x10000 if shunt & 0x8000 else shunt
    amperes = signed * found.shunt_volts / shunt_ohms
    volts = (bus >> found.bus_shift) * found.bus_volts
    source = f"{found.name} at {found.address:#04x} (V × A, {shunt_ohms:g} ohm)"
    return Reading(volts * amperes, "W", Provenance.DERIVED, source, scope="rail")


def _no(reason: str, remedy: str) -> Reading:
    return Reading.unavailable("W", SOURCE, reason, remedy)
