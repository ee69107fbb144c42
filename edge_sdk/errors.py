"""Every error that Edge SDK raises on purpose, and the exit code that a command line ends with.

It knows sentences and exit codes; it does not know which part of the SDK raises them.

    EdgeError                  1   something went wrong that no class below names
    |-- UnsupportedOperation   1   this device, model or file cannot do what was asked
    |-- MissingExtra           1   an optional package is not installed
    |-- UsageError             2   the words of a call or a command are off (URI, option, prompt)
    |-- NotFound               3   a model, file or name does not exist
    |   `-- DeviceNotFound     3   no device answers to that URI
    |-- AccessError            4   something exists, but may not be used now
    |   |-- DeviceBusy         4   another program holds the device
    |   `-- DevicePermission   4   the system denies access to the device
    |-- LinkError              5   the line to a board or a server failed
    |   |-- DeviceTimeout      5   no answer in time
    |   `-- DeviceDisconnected 5   the device went away
    |-- Rejected               6   a file was refused before it was used
    |   |-- ModelRejected      6   a checkpoint, packed model or tokenizer is malformed
    |   `-- ImageRejected      6   a bitstream does not fit the board
    |-- VerifyFailed           7   what was written or computed is not what was expected
    `-- OutOfMemory            8   the model does not fit into the device's memory

A message is one sentence: what happened and what was expected. `hint` says what to do about it.
"""

from __future__ import annotations

INTERRUPTED = 130
"""Exit code of a command that the user stopped with Ctrl+C (128 + SIGINT)."""


class EdgeError(Exception):
    """Base of every error raised on purpose; str() is one sentence, `hint` the remedy."""

    exit_code: int = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def to_json(self) -> dict[str, object]:
        """The error as `--json` prints it."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


class UnsupportedOperation(EdgeError):
    """This device, model or file cannot do what was asked."""


class MissingExtra(EdgeError):
    """An optional package is not installed."""


class UsageError(EdgeError):
    """The words of a call or a command are off."""

    exit_code = 2


class NotFound(EdgeError):
    """A model, file or name does not exist."""

    exit_code = 3


class DeviceNotFound(NotFound):
    """No device answers to that URI."""


class AccessError(EdgeError):
    """Something exists, but may not be used now."""

    exit_code = 4


class DeviceBusy(AccessError):
    """Another program holds the device."""


class DevicePermission(AccessError):
    """The system denies access to the device."""


class LinkError(EdgeError):
    """The line to a board or a server failed."""

    exit_code = 5


class DeviceTimeout(LinkError):
    """No answer in time."""


class DeviceDisconnected(LinkError):
    """The device went away."""


class Rejected(EdgeError):
    """A file was refused before it was used."""

    exit_code = 6


class ModelRejected(Rejected):
    """A checkpoint, packed model or tokenizer is malformed."""


class ImageRejected(Rejected):
    """A bitstream does not fit the board."""


class VerifyFailed(EdgeError):
    """What was written or computed is not what was expected."""

    exit_code = 7


class OutOfMemory(EdgeError):
    """The model does not fit into the device's memory."""

    exit_code = 8
