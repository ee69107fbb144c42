"""Edge SDK: run language models without matrix multiplication on small machines.

It knows the public names and where each one lives; it does not import any of them before use, so
`import edge_sdk` loads neither tinygrad nor textual nor serial.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_sdk.chat import Chat, ChatStats
    from edge_sdk.config import ModelConfig
    from edge_sdk.convert import convert_checkpoint
    from edge_sdk.device import Candidates, Device, DeviceInfo, Session, State
    from edge_sdk.errors import EdgeError
    from edge_sdk.generation import generate
    from edge_sdk.hub import load_model, pull
    from edge_sdk.model_file import Model
    from edge_sdk.registry import list_devices, open_device
    from edge_sdk.sampling import Sampler, Sampling
    from edge_sdk.telemetry import Provenance, Reading, Telemetry
    from edge_sdk.tokenizer import Tokenizer

__version__ = "0.1.0"

_HOME = {
    "Candidates": "device",
    "Chat": "chat",
    "ChatStats": "chat",
    "Device": "device",
    "DeviceInfo": "device",
    "EdgeError": "errors",
    "Model": "model_file",
    "ModelConfig": "config",
    "Provenance": "telemetry",
    "Reading": "telemetry",
    "Sampler": "sampling",
    "Sampling": "sampling",
    "Session": "device",
    "State": "device",
    "Telemetry": "telemetry",
    "Tokenizer": "tokenizer",
    "convert_checkpoint": "convert",
    "generate": "generation",
    "list_devices": "registry",
    "load_model": "hub",
    "open_device": "registry",
    "pull": "hub",
}

__all__ = [
    "Candidates",
    "Chat",
    "ChatStats",
    "Device",
    "DeviceInfo",
    "EdgeError",
    "Model",
    "ModelConfig",
    "Provenance",
    "Reading",
    "Sampler",
    "Sampling",
    "Session",
    "State",
    "Telemetry",
    "Tokenizer",
    "convert_checkpoint",
    "generate",
    "list_devices",
    "load_model",
    "open_device",
    "pull",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
