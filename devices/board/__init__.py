"""Serial-connected boards that run a whole model: integer contract, compiler, link, session.

It knows which provider stands behind which URI scheme; pyserial is imported when a port is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_sdk.devices.board.provider import RemoteProvider, SerialProvider

    SERIAL: SerialProvider
    SOCKET: RemoteProvider
    RFC2217: RemoteProvider


def __getattr__(name: str) -> Any:
    """A provider on first use: the compiler and the integer model need no serial port."""
    from edge_sdk.devices.board import provider

    providers = {
        "SERIAL": provider.SerialProvider,
        "SOCKET": lambda: provider.RemoteProvider("socket"),
        "RFC2217": lambda: provider.RemoteProvider("rfc2217"),
    }
    if name not in providers:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return providers[name]()
