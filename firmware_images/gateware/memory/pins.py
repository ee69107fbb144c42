"""The pins of an SDR SDRAM.

It knows their names; it does not know boards, nor registers between the controller and the chip.
"""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.memory.chip import Chip
from edge_sdk.firmware_images.gateware.memory.command import address_pins


class SdramPins(wiring.Signature):
    """Seen by the controller. All are active high: the board inverts what is inverted there.

    Outputs come straight from registers and `dq_i` goes straight to one, so that a board may add
    registers in the pads on both ways (SdramController's `round_trip` says how many).
    """

    def __init__(self, chip: Chip) -> None:
        super().__init__(
            {
                "cke": Out(1),
                "cs": Out(1),
                "ras": Out(1),
                "cas": Out(1),
                "we": Out(1),
                "ba": Out(chip.bank_bits),
                "a": Out(address_pins(chip)),
                "dqm": Out(chip.bits // 8),
                "dq_o": Out(chip.bits),
                "dq_oe": Out(1),
                "dq_i": In(chip.bits),
            }
        )
