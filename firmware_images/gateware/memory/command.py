"""Commands of an SDR SDRAM, as its pins say them.

It knows their encoding; it does not know when they are allowed.
"""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data, enum

from edge_sdk.firmware_images.gateware.memory.chip import Chip

PRECHARGE_ALL = 1 << 10
"""On the address pins with PRECHARGE: all banks. With READ and WRITE it is auto precharge."""


class Code(enum.Enum, shape=unsigned(3)):
    """RAS, CAS and WE, from bit 0 on; 1 is asserted."""

    NOP = 0b000
    ACTIVATE = 0b001
    READ = 0b010
    REFRESH = 0b011
    WRITE = 0b110
    PRECHARGE = 0b101
    MODE = 0b111


def address_pins(chip: Chip) -> int:
    """How many pins A has: at least up to A10."""
    return max(chip.row_bits, PRECHARGE_ALL.bit_length())


def layout(chip: Chip) -> data.StructLayout:
    """One clock's command."""
    return data.StructLayout({"code": Code, "bank": chip.bank_bits, "address": address_pins(chip)})


def mode(chip: Chip) -> int:
    """The mode register: single words, sequential, CAS latency."""
    return chip.cas << 4
