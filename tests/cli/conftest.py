"""Runs the real command in a real process, with a scripted device and a tiny model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sdk.config import ModelConfig
from tests.helpers import packed_model, tiny_tokenizer_json
from tests.plugins import install_plugin

ROOT = Path(__file__).parent.parent.parent
CONTROLS = ("<|end|>", "<|user|>", "<|bot|>")
CONFIG = ModelConfig(
    vocab_size=260, hidden_size=40, num_layers=2, intermediate_size=70, eos_token_id=0
)
CHAT = {"user": ["<|user|>", ""], "assistant": ["<|bot|>", "<|end|>"], "stop": ["<|end|>"]}

Run = Callable[..., subprocess.CompletedProcess[bytes]]


def byte_tokenizer() -> bytes:
    """tokenizer.json with a token for each byte, so that any text can be written."""
    raw = json.loads(tiny_tokenizer_json(CONTROLS))
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    # GPT-2's way to spell bytes: visible ones as themselves, the rest from U+0100 on.
    spelled = [chr(b) for b in visible] + [chr(256 + i) for i in range(len(hidden))]
    raw["model"]["vocab"] = {text: i for i, text in enumerate([*CONTROLS, *spelled])}
    return json.dumps(raw).encode()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed model that knows every byte."""
    folder = tmp_path_factory.mktemp("tiny")
    return packed_model(folder, CONFIG, tokenizer=byte_tokenizer(), chat=CHAT)


@pytest.fixture
def command_environment(tmp_path: Path, tiny_model: Path) -> dict[str, str]:
    """An environment in which `edge-sdk` finds the scripted device and uses the tiny model."""
    site = install_plugin(tmp_path / "site", {"script": "tests.cli.scripted_device:PROVIDER"})
    return os.environ | {
        "PYTHONPATH": f"{site}{os.pathsep}{ROOT}",
        "EDGE_MODEL": str(tiny_model),
        "EDGE_DEVICE": "script",
        "COLUMNS": "80",
    }


@pytest.fixture
def run_command(command_environment: dict[str, str], tmp_path: Path) -> Run:
    """run_command("devices", "--json", stdin=b"", NAME="value") -> the finished process."""

    def run(
        *words: str, stdin: bytes = b"", **variables: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "edge_sdk", *words],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env=command_environment | variables,
            timeout=120,
        )

    return run


@pytest.fixture
def without(command_environment: dict[str, str], tmp_path: Path) -> Callable[[str], str]:
    """Gives the PYTHONPATH of a command for which a package is not installed."""

    def path(missing: str) -> str:
        (tmp_path / "block").mkdir()
        (tmp_path / "block" / f"{missing}.py").write_text(
            f"raise ModuleNotFoundError('blocked', name={missing!r})"
        )
        return f"{tmp_path / 'block'}:{command_environment['PYTHONPATH']}"

    return path
