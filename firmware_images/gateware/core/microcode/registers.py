"""How the sequencer's registers are used, and the modes of the vector unit by name.

It knows places only; it does not know when they are used.
"""

from __future__ import annotations

from edge_sdk.firmware_images.gateware.core.assembler import Operand, Register
from edge_sdk.firmware_images.gateware.core.control import VECTOR_MODE

OP, N, EXTRA, OFFSET, ADDRESS, ADDRESS_HIGH, FACTOR, LAST = (Register(i) for i in range(8))
"""The instruction: its eight halfwords."""
PC, PC_HIGH = Register(8), Register(9)
T0, T1 = Register(10), Register(11)
DEPTHS = [Register(i) for i in range(12, 16)]
"""Elements of the RAMs."""
ROOT, HALF_SHIFT, EXPONENT, LARGEST, BLOCK = (Register(i) for i in range(16, 21))
"""R, s / 2, e, mn and kb of the contract."""
SQUARES = [Register(i) for i in range(21, 24)]
"""P, the lowest halfword first."""
RATIO = Register(24)
"""D: 0 stands for 2^16 if mn is not 0; see STALE."""
COLUMNS, ENCODING, ROW = Register(25), Register(26), Register(27)
"""Of the activations: n, FIVE_TRITS, and halfwords of memory that a row of weights takes."""
T2, T3, T4, T5 = (Register(i) for i in range(28, 32))
OPERANDS = [Operand(i) for i in range(3)]

STALE = 1
"""In RATIO: computed before R changed. D is never 1: it is 0 or at least 2^14."""


def mode(**fields: int) -> int:
    """The number of a VECTOR_MODE."""
    return int(VECTOR_MODE.const(fields).as_value().value)
