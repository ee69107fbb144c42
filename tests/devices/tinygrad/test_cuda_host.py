"""The host's half of the CUDA path without a card: layout, launches, chunks, batches, errors."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.config import ModelConfig
from edge_sdk.device import Cancelled
from edge_sdk.devices.tinygrad.cuda import batch, driver, resident, session
from edge_sdk.devices.tinygrad.cuda.args import Args
from edge_sdk.devices.tinygrad.cuda.batch import CudaBatch
from edge_sdk.devices.tinygrad.cuda.program import FILES, _buffer, arch_number, source
from edge_sdk.devices.tinygrad.cuda.resident import CHUNK, Resident
from edge_sdk.devices.tinygrad.cuda.session import CudaSession
from edge_sdk.devices.tinygrad.layout import Layout, matrices, vectors
from edge_sdk.devices.tinygrad.self_test import TinyModel
from edge_sdk.errors import DeviceDisconnected, EdgeError, UnsupportedOperation, UsageError
from edge_sdk.model_file import Model, open_model
from edge_sdk.random_model import SHAPES
from edge_sdk.ternary import unpack2
from tests.devices.tinygrad.fake_cuda import FakeLibrary, HostPiece, program
from tests.helpers import packed_model


class FakeDevice:
    def forget(self, session: object) -> None:
        pass


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    fake = FakeLibrary()
    monkeypatch.setattr(driver, "_library", lambda: fake)
    for module in (batch, resident, session):
        monkeypatch.setattr(module, "DeviceMemory", HostPiece)
    return fake


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Model]:
    with open_model(packed_model(tmp_path)) as opened:
        yield opened


def place(model: Model, tensor_cores: bool = True) -> Resident:
    scales = model.vector("embeddings.scale")
    return Resident("CUDA", program(tensor_cores), model, model.embedding_table, scales)


@pytest.fixture
def running(library: FakeLibrary, model: Model) -> Iterator[Any]:
    opened = CudaSession(FakeDevice(), model, place(model))  # type: ignore[arg-type]
    library.launched.clear()
    yield opened
    opened.close()


def test_the_published_shapes_lie_as_in_the_file() -> None:
    for config in SHAPES.values():
        layout = Layout(config)
        d, i, v = config.hidden_size, config.intermediate_size, config.vocab_size
        assert layout.planes == (config.num_layers * (4 * d * d + 3 * d * i) + v * d) // 4
        assert (layout.row_d, layout.row_i) == (d, i)


def test_odd_sizes_are_padded_and_halves_start_with_a_group() -> None:
    tiny = TinyModel()
    layout = Layout(tiny.config)
    parts = list(matrices(tiny))
    assert sum(part.nbytes for part in parts) == layout.planes
    gate = tiny.matrix("layers.0.mlp.gate_proj")
    trits = unpack2(gate.planes, gate.shape)
    width = tiny.config.hidden_size
    for half, rows in ((parts[4], trits[:70]), (parts[5], trits[70:])):
        assert np.array_equal(unpack2(half, (70, width)), rows)
    values = vectors(tiny, layout)
    assert np.array_equal(values[:width], tiny.vector("layers.0.attn_norm"))
    assert not values[width : layout.row_d].any()
    assert values[layout.layer_vectors + 2 * layout.row_d] == np.float32(
        tiny.matrix("lm_head").scale
    )


def test_args_has_a_field_for_every_field_of_the_kernels() -> None:
    from importlib.resources import files

    text = (files("edge_sdk.devices.tinygrad.cuda") / "base.cu").read_text()
    body = text.partition("typedef struct {")[2].partition("} Args;")[0]
    fields = [
        line.partition(";")[0].split()[-1].lstrip("*") for line in body.splitlines() if ";" in line
    ]
    assert [name for name, *_ in Args._fields_] == fields


def test_the_source_states_the_sizes_once() -> None:
    text = source(ModelConfig(101, 50, 3, 71), 256, 4, 0)
    for name, value in (("WIDTH", 50), ("INNER", 71), ("VOCAB", 101), ("LAYERS", 3), ("BUFFER", 0)):
        assert text.count(f"#define {name} {value}\n") == 1
    assert len(FILES) == 7 and "edge_decode" in text and "edge_big_##name" in text


def test_buffers_hold_the_largest_phase_or_are_left_out() -> None:
    layout = Layout(SHAPES["2.7b"])
    assert _buffer(layout, [5, 14, 63], 180 << 10) == 14 * 2 * 2560
    assert _buffer(layout, [5, 14, 63], 140_000) == 0
    assert arch_number("sm_90") == arch_number("sm_90a") == 90


def test_weights_are_uploaded_as_they_are(library: FakeLibrary, model: Model) -> None:
    held = place(model)
    expected = b"".join(matrix.tobytes() for matrix in matrices(model))
    assert ctypes.string_at(held.args.planes, len(expected)) == expected
    table = np.asarray(model.embedding_table)
    assert ctypes.string_at(held.args.embed, table.nbytes) == table.tobytes()
    assert held.device_bytes >= held.layout.planes
    pieces = held._memory
    held.free()
    held.free()
    assert all(piece.freed for piece in pieces)  # type: ignore[attr-defined]


def test_few_tokens_run_one_by_one_in_one_launch(library: FakeLibrary, running: Any) -> None:
    running.feed([3, 1, 2])
    assert library.names() == ["decode"]
    assert library.launched[0].numbers == (3, 3, 0)
    running.feed([5])
    assert library.launched[1].numbers == (1, 1, 3)
    assert running.position == 4


def test_a_long_prompt_runs_in_chunks_with_one_head(
    library: FakeLibrary, running: Any, model: Model
) -> None:
    told: list[tuple[str, int, int]] = []
    running.feed([1] * 1300, progress=lambda *step: told.append(step))
    embeds = [launch.numbers for launch in library.launched if launch.name == "embed"]
    assert embeds == [(CHUNK,), (CHUNK,), (276,)]
    assert library.names().count("small_head") == 1
    assert library.launched[-2].numbers == (275, 1)  # rows_head: the last token alone
    scans = [launch.block for launch in library.launched if launch.name == "scan"]
    assert scans == [1024] * 2 * model.config.num_layers + [576] * model.config.num_layers
    assert told == [("prompt", 512, 1300), ("prompt", 1024, 1300), ("prompt", 1300, 1300)]
    assert running.position == 1300


def test_cancelling_a_long_prompt_restores_the_state(library: FakeLibrary, running: Any) -> None:
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        running.feed([1] * 1300, cancel=cancel, progress=lambda *_: cancel.set())
    there, back = library.copies
    assert there[:2] == back[1::-1] and there[2] == back[2]
    assert running.position == 0
    with pytest.raises(Cancelled):
        running.feed([1], cancel=cancel)


def test_greedy_runs_in_launches_of_32(library: FakeLibrary, running: Any) -> None:
    found = running.greedy(7, 70)
    assert [launch.numbers for launch in library.launched] == [(1, 32, 0), (1, 32, 32), (1, 6, 64)]
    assert len(found) == running.position == 70
    with pytest.raises(UsageError, match="count"):
        running.greedy(7, 0)


def test_without_tensor_cores_prompts_run_one_by_one(library: FakeLibrary, model: Model) -> None:
    old = CudaSession(FakeDevice(), model, place(model, tensor_cores=False))  # type: ignore[arg-type]
    library.launched.clear()
    old.feed([1] * 600)
    assert [launch.numbers[:2] for launch in library.launched] == [(512, 512), (88, 88)]
    assert old.logits([1, 2]).shape == (2, model.config.vocab_size)
    with pytest.raises(UnsupportedOperation, match="tensor cores"):
        CudaBatch(FakeDevice(), model, old._resident, 4)  # type: ignore[arg-type]


def test_states_go_out_and_come_back(running: Any, model: Model) -> None:
    state = running.snapshot()
    assert state.hidden.shape == (model.config.num_layers, model.config.hidden_size)
    state.hidden[:] = 3.5
    running.restore(state)
    assert (running.snapshot().hidden == 3.5).all()
    running.reset()
    assert not running.snapshot().hidden.any()


def test_closing_one_of_two_sessions_keeps_the_weights(library: FakeLibrary, model: Model) -> None:
    held = place(model)
    one, two = (CudaSession(FakeDevice(), model, held) for _ in range(2))  # type: ignore[arg-type]
    one.close()
    one.close()
    two.feed([1])
    with pytest.raises(UnsupportedOperation, match="closed"):
        one.feed([1])
    two.close()
    assert held.users == 0 and not held._memory


def test_a_batch_feeds_those_who_take_part(library: FakeLibrary, model: Model) -> None:
    together = CudaBatch(FakeDevice(), model, place(model), 4)  # type: ignore[arg-type]
    slots = [together.join() for _ in range(3)]
    library.launched.clear()
    together.prompt(slots[1], [1, 2, 3, 4])
    scans = [launch for launch in library.launched if launch.name == "scan"]
    assert all(launch.numbers[1:] == (4, slots[1]) for launch in scans)
    library.launched.clear()
    assert set(together.step({slots[0]: 5, slots[2]: 6})) == {slots[0], slots[2]}
    first = library.launched[0]
    assert (first.name, first.numbers) == ("embed", (4,))
    live = np.frombuffer(ctypes.string_at(first.args.live, 16), np.int32)
    assert live.tolist() == [1, 0, 1, 0]
    graph = list(library.graph)
    together.step({slots[1]: 7})
    assert library.graph == graph  # captured once
    together.leave(slots[1])
    with pytest.raises(UsageError, match="slot 1"):
        together.step({slots[1]: 7})
    assert together.join() == slots[1]
    together.join()
    with pytest.raises(UsageError, match="taken"):
        together.join()
    together.close()


def test_what_the_driver_says_becomes_a_sentence(library: FakeLibrary, running: Any) -> None:
    library.fail = {"cuStreamSynchronize": 700}
    with pytest.raises(DeviceDisconnected, match="stopped answering"):
        running.feed([1])
    library.fail = {"cuLaunchCooperativeKernel": 1}
    with pytest.raises(EdgeError, match="refused cuLaunchCooperativeKernel: CUDA_ERROR_1"):
        running.feed([1])
    library.fail = {"cuMemHostAlloc": 2}
    with pytest.raises(MemoryError):
        driver.HostMemory(64)
    library.fail = {}


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch, library: FakeLibrary) -> Iterator[Any]:
    """path.py on a card that passes its self-test."""
    from edge_sdk.devices.tinygrad.cuda import path

    monkeypatch.setattr(path, "check_card", lambda device, index: None)
    monkeypatch.setattr(path, "check_sums", lambda resident: None)
    monkeypatch.setattr(path, "load_program", lambda device, index, config: program())
    monkeypatch.setattr("edge_sdk.devices.tinygrad.kernels.cuda_arch", lambda device: "sm_90")
    path._tested.cache_clear()
    yield path
    path._tested.cache_clear()


def test_a_card_that_passes_is_used_and_named(paths: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.choose("CUDA", 0) == paths.KernelChoice(
        "fused CUDA, sm_90, tensor cores", usable=True
    )
    monkeypatch.setenv("EDGE_KERNELS", "graph")
    assert not paths.choose("CUDA", 0).usable
    monkeypatch.setenv("EDGE_KERNELS", "fast")
    with pytest.raises(UsageError, match="EDGE_KERNELS"):
        paths.choose("CUDA", 0)


def test_a_card_that_fails_runs_graph_ops_and_says_why(
    paths: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, model: Model
) -> None:
    def fail(device: str, index: int) -> None:
        raise RuntimeError("no NVRTC")

    monkeypatch.setattr(paths, "check_card", fail)
    choice = paths.choose("CUDA", 0)
    assert (choice.label, choice.usable) == ("graph ops (tinygrad)", False)
    assert "RuntimeError: no NVRTC" in choice.warning and "no NVRTC" in caplog.text
    assert paths.CudaResidents("CUDA", 0).get(model) is None


def test_a_model_is_uploaded_once_and_again_after_it_was_freed(paths: Any, model: Model) -> None:
    residents = paths.CudaResidents("CUDA", 0)
    first = residents.get(model)
    session = CudaSession(FakeDevice(), model, first)  # type: ignore[arg-type]
    assert residents.get(model) is first
    session.close()
    assert residents.get(model) is not first


def test_a_model_whose_sums_are_wrong_runs_on_graph_ops(
    paths: Any, monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    held: list[Resident] = []

    def wrong(resident: Resident) -> None:
        held.append(resident)
        raise ArithmeticError("sums differ")

    monkeypatch.setattr(paths, "check_sums", wrong)
    assert paths.CudaResidents("CUDA", 0).get(model) is None
    assert not held[0]._memory  # nothing is left on the card
