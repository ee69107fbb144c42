"""The one grammar that names a device in the API, the command line and `EDGE_DEVICE`.

It knows how a URI is written; it does not know which devices exist.

    auto | cpu | cuda:0 | metal | serial:auto | serial:id=<usb serial>
    serial:/dev/ttyUSB0?baud=3000000 | socket://host:port | rfc2217://host:port
    sim:ulx3s-85f | sim:ulx3s-85f?engine=rtl
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from edge_sdk.errors import UsageError

MAX_LENGTH = 512
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,31}")


@dataclass(frozen=True)
class DeviceURI:
    """`<scheme>[:<target>][?key=value&...]`; str() gives the same URI back."""

    scheme: str
    target: str = ""
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> DeviceURI:
        """Read a URI; raises UsageError that shows two valid ones."""
        if not isinstance(text, str):
            raise _bad(text, "it is no text")
        if not text.strip():
            raise _bad(text, "it is empty")
        if len(text) > MAX_LENGTH:
            raise _bad(text[:40] + "...", f"it is longer than {MAX_LENGTH} characters")
        if not text.isprintable():
            raise _bad(text, "it has control characters")
        body, _, query = text.strip().partition("?")
        scheme, _, target = body.partition(":")
        scheme = scheme.lower()
        if not _SCHEME.fullmatch(scheme):
            raise _bad(text, "it does not start with the name of a kind of device")
        if target.startswith("///"):
            target = target[2:]
        try:
            pairs = parse_qsl(query, strict_parsing=True) if query else []
        except ValueError:
            raise _bad(text, "what follows '?' is not key=value") from None
        if len(dict(pairs)) != len(pairs):
            raise _bad(text, "an option is given twice")
        return cls(scheme, target, dict(pairs))

    def __str__(self) -> str:
        body = f"{self.scheme}:{self.target}" if self.target else self.scheme
        query = urlencode(self.options, safe="/:@,")
        return f"{body}?{query}" if query else body


def _bad(text: object, why: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a device URI: {why}.",
        hint="write it like 'cpu' or 'serial:/dev/ttyUSB0?baud=3000000'; "
        "`edge-sdk devices` lists those of this machine.",
    )
