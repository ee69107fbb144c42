"""SDR SDRAM chips: their geometry, their data sheets' times, and those times in clocks.

It knows numbers; it does not know signals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Chip:
    """One chip, or several side by side that share their commands. Times are in nanoseconds."""

    bits: int
    """Width of a word, 16 or 32."""
    row_bits: int
    column_bits: int
    """At most 10: A10 is no column bit."""
    cas: int
    """CAS latency in clocks, 2 or 3."""
    t_rcd: float
    """ACTIVATE to READ or WRITE."""
    t_rp: float
    """PRECHARGE to ACTIVATE or REFRESH."""
    t_ras: float
    """ACTIVATE to PRECHARGE of the same bank."""
    t_rc: float
    """ACTIVATE to ACTIVATE of the same bank."""
    t_rrd: float
    """ACTIVATE to ACTIVATE of another bank; at most t_rc."""
    t_rfc: float
    """REFRESH to any command."""
    t_wr: float
    """The last word written to PRECHARGE."""
    t_mrd: float
    """LOAD MODE to any command."""
    refresh_interval: float
    """On average, between two REFRESH."""
    bank_bits: int = 2
    power_up: float = 200_000
    """Without commands after power and clock are stable."""

    @property
    def address_bits(self) -> int:
        """Of a word, for the whole chip."""
        return self.row_bits + self.bank_bits + self.column_bits


@dataclass(frozen=True)
class Clocks:
    """The times of a chip at one clock: the least number of clocks, at least one."""

    rcd: int
    rp: int
    ras: int
    rc: int
    rfc: int
    wr: int
    mrd: int
    power_up: int
    refresh_interval: int
    """Rounded down: this one is a most."""

    @classmethod
    def of(cls, chip: Chip, clock_hz: float) -> Clocks:
        """Raises ValueError if the refresh interval leaves no time for anything else."""

        def least(time: float) -> int:
            # A hair is forgiven: 15 ns at 66.666 MHz are one clock.
            return max(1, math.ceil(time * clock_hz / 1e9 - 1e-3))

        interval = int(chip.refresh_interval * clock_hz / 1e9)
        clocks = cls(
            rcd=least(chip.t_rcd),
            rp=least(chip.t_rp),
            ras=least(chip.t_ras),
            rc=least(chip.t_rc),
            rfc=least(chip.t_rfc),
            wr=least(chip.t_wr),
            mrd=max(2, least(chip.t_mrd)),
            power_up=least(chip.power_up),
            refresh_interval=interval,
        )
        if interval < 4 * (clocks.rfc + clocks.rc):
            raise ValueError(
                f"at {clock_hz / 1e6:.1f} MHz a refresh is due every {interval} clocks and takes "
                f"{clocks.rfc}: the clock is too slow for this chip"
            )
        return clocks


SDR_32MIB_X16 = Chip(
    bits=16,
    row_bits=13,
    column_bits=9,
    cas=2,
    t_rcd=20,
    t_rp=20,
    t_ras=45,
    t_rc=66,
    t_rrd=15,
    t_rfc=70,
    t_wr=20,
    t_mrd=15,
    refresh_interval=64e6 / 8192,
)
"""256 Mbit: the longest times of the chips that boards fit (IS42S16160, MT48LC16M16, AS4C16M16,
W9825G6KH), as LiteDRAM's table of modules has them. CAS latency 3 is needed above 100 MHz."""

SDR_8MIB_X32 = replace(
    SDR_32MIB_X16, bits=32, row_bits=11, column_bits=8, refresh_interval=64e6 / 4096
)
"""64 Mbit, as in the package of a GW2AR-18."""
