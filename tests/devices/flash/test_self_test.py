from __future__ import annotations

from dataclasses import replace

import pytest

from edge_sdk.devices.flash.self_test import TOKENS, run_self_test
from edge_sdk.devices.virtual.engine import Sent
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.errors import OutOfMemory, VerifyFailed
from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from tests.devices.board.boards import direct_board
from tests.devices.flash.bench import KIND

INSIDE = replace(KIND, geometry=Geometry(16, 4096, 128, 256, 256, 256, 16), clock_hz=27_000_000)
"""A board whose memory is inside the chip: 8 KiB."""


def test_a_good_board_passes_and_says_how_long_it_took() -> None:
    with direct_board() as device:
        told: list[tuple[str, int, int]] = []
        found = run_self_test(device, lambda *call: told.append(call))
        # Free again for a model.
        assert run_self_test(device) == found

    assert found.tokens == TOKENS
    assert found.cycles > 0
    assert told[-1] == ("self-test", TOKENS, TOKENS)


def test_a_small_board_gets_a_smaller_model() -> None:
    with direct_board(IntegerEngine(INSIDE)) as device:
        assert device.hello.memory == 8192
        assert run_self_test(device).tokens == TOKENS


def test_a_board_that_is_too_small_for_any_is_told_of() -> None:
    tiny = replace(INSIDE, geometry=replace(INSIDE.geometry, memory_words=1024))
    with (
        direct_board(IntegerEngine(tiny)) as device,
        pytest.raises(OutOfMemory, match="memory holds 2,048 bytes"),
    ):
        run_self_test(device)


def test_one_wrong_bit_in_the_state_is_found() -> None:
    class Faulty(IntegerEngine):
        def receive(self, data: bytes) -> list[Sent]:
            if self._commands._position == 10:
                self._commands._core._rams[Ram.S][5] ^= 0x400
            return super().receive(data)

    with (
        direct_board(Faulty(KIND)) as device,
        pytest.raises(VerifyFailed, match="from token 8 of the self-test on"),
    ):
        run_self_test(device)
