"""What a board, real or modelled, answers instead of doing what it was asked.

It knows the codes of the wire protocol; it does not know frames or what was asked.
"""

from __future__ import annotations

from edge_sdk.errors import EdgeError
from edge_sdk.firmware_images.contract.wire import Code


class Refused(EdgeError):
    """A request or an instruction that the contract forbids; nothing of it was executed."""

    def __init__(self, code: Code, detail: int, message: str) -> None:
        super().__init__(message, hint="compile and upload the model again.")
        self.code = code
        self.detail = detail
        """What `code` says it is: an address, a position, a sequence number; else 0."""
