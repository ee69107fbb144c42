"""The shipped kernels: what is in the package, which is chosen, and what is said of a bad one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import edge_sdk
from edge_sdk.devices.tinygrad import CPU, build_objects, engine, fast_path, prebuilt
from edge_sdk.devices.tinygrad.compiler import cpu_features
from edge_sdk.devices.tinygrad.native import ENTRY, source_sha256
from edge_sdk.errors import EdgeError, MissingExtra, VerifyFailed

FOLDER = build_objects.HERE
BUILT_FROM, ENTRIES = prebuilt.read_manifest()
CHOSEN = prebuilt.choose_object(platform.machine(), cpu_features(), ENTRIES)
MACHINES = {"x86_64": 62, "aarch64": 183}
"""As an ELF header numbers them."""

needs_object = pytest.mark.skipif(
    sys.platform != "linux" or CHOSEN is None, reason="no object is shipped for this machine"
)


@pytest.fixture
def fresh() -> Iterator[None]:
    """Lets the path be chosen anew, before and after."""
    fast_path._tested.cache_clear()
    yield
    fast_path._tested.cache_clear()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The objects in a folder that may be spoilt."""
    folder = tmp_path / "objects"
    shutil.copytree(FOLDER, folder)
    monkeypatch.setattr(prebuilt, "objects", lambda: folder)
    return folder


def test_the_objects_are_those_of_the_c_files() -> None:
    """If this fails: `python -m edge_sdk.devices.tinygrad.build_objects`."""
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert manifest["source_sha256"] == source_sha256()
    assert manifest["compiler"] == f"zig {build_objects.ZIG}"
    assert manifest["options"] == build_objects.OPTIONS
    shipped = {path.name: path.read_bytes() for path in FOLDER.glob("*.so")}
    assert manifest["objects"] == [
        build_objects._listed(f"{name}.so", target, _sha256(shipped.pop(f"{name}.so")))
        for name, target in build_objects.TARGETS.items()
    ]
    assert not shipped


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_pinned_compiler_gives_the_same_bytes() -> None:
    try:
        found = version("ziglang")
    except PackageNotFoundError:
        pytest.skip("the package ziglang is not installed")
    if found != build_objects.ZIG:
        pytest.skip(f"the objects are built with ziglang {build_objects.ZIG}; this is {found}")
    build_objects.compare(dict(build_objects.build()), FOLDER)


def test_the_compiler_is_the_one_that_the_extra_pins() -> None:
    import tomllib

    text = (Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    assert extras["compiler"] == [f"ziglang=={build_objects.ZIG}"]


def test_a_missing_compiler_and_a_difference_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_objects, "ZIG", "0.0.0")
    assert build_objects.main([]) == 1
    assert "ziglang 0.0.0" in capsys.readouterr().err
    build_objects.write({"a.so": b"1", "b.so": b"2"}, tmp_path)
    build_objects.write({"a.so": b"1", "c.so": b"3"}, tmp_path)
    build_objects.compare({"a.so": b"1", "c.so": b"3"}, tmp_path)
    with pytest.raises(VerifyFailed, match=r"b\.so, c\.so"):
        build_objects.compare({"a.so": b"1", "b.so": b"2"}, tmp_path)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_object_is_one_function_that_needs_nothing(entry: prebuilt.Entry) -> None:
    """No library, no symbol of others, nothing for the loader to patch: any libc loads it."""
    data = (FOLDER / entry.name).read_bytes()
    kind, machine = struct.unpack_from("<HH", data, 16)
    assert (data[:5], kind, machine) == (b"\x7fELF\x02", 3, MACHINES[entry.machine])
    (table,), (count,) = struct.unpack_from("<Q", data, 40), struct.unpack_from("<H", data, 60)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + 64 * n) for n in range(count)]
    kinds = {section[1] for section in sections}
    assert not kinds & {4, 9}  # RELA, REL
    dynamic = next(section for section in sections if section[1] == 6)
    tags = [struct.unpack_from("<Q", data, dynamic[4] + at)[0] for at in range(0, dynamic[5], 16)]
    assert 1 not in tags  # NEEDED
    symbols = next(section for section in sections if section[1] == 11)
    assert symbols[5] == 2 * 24  # the first of every table is empty
    name, _, _, section = struct.unpack_from("<IBBH", data, symbols[4] + 24)
    names = sections[symbols[6]][4]
    assert data[names + name :].startswith(ENTRY.encode() + b"\0")
    assert section


ZEN5 = build_objects.TARGETS["x86_64-avx512vnni-zen"].features
INTEL = build_objects.TARGETS["x86_64-avx512vnni"].features
ALDER_LAKE = build_objects.TARGETS["x86_64-avxvnni"].features


@pytest.mark.parametrize(
    ("machine", "features", "expected"),
    [
        ("x86_64", f"fpu {ZEN5} avx_vnni sse", "x86_64-avx512vnni-zen.so"),
        ("x86_64", INTEL, "x86_64-avx512vnni.so"),
        ("x86_64", ZEN5.replace("avx512bw", ""), "x86_64-avx2-zen.so"),
        ("x86_64", INTEL.replace("avx512_vnni", ""), "x86_64-avx2.so"),
        ("x86_64", ALDER_LAKE, "x86_64-avxvnni.so"),
        ("x86_64", ALDER_LAKE.replace("fma", ""), "x86_64-portable.so"),
        ("x86_64", "", "x86_64-portable.so"),
        ("aarch64", "fp asimd evtstrm asimddp", "aarch64-dotprod.so"),
        ("aarch64", "fp asimd evtstrm", "aarch64-neon.so"),
        ("aarch64", "fp", None),
        ("riscv64", "rv64imafdcv", None),
    ],
)
def test_the_object_is_the_fastest_that_the_processor_runs(
    machine: str, features: str, expected: str | None
) -> None:
    found = prebuilt.choose_object(machine, features, ENTRIES)
    assert (found.name if found else None) == expected


@needs_object
def test_prebuilt_kernels_come_first(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_CC", raising=False)
    choice = fast_path.choose()
    assert choice.label.endswith(", prebuilt")
    assert choice.warning is None


@needs_object
@pytest.mark.skipif(isinstance(engine.compiler(), EdgeError), reason="there is no C compiler")
@pytest.mark.parametrize("fault", ["one bit", "cut short", "missing", "other C files", "no list"])
def test_a_bad_object_is_never_loaded_and_it_is_said(
    fault: str, fresh: None, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CHOSEN is not None
    path = copied / CHOSEN.name
    data = bytearray(path.read_bytes())
    if fault == "one bit":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif fault == "cut short":
        path.write_bytes(data[:-100])
    elif fault == "missing":
        path.unlink()
    elif fault == "no list":
        (copied / "manifest.json").write_text("{")
    else:
        monkeypatch.setattr(prebuilt, "source_sha256", lambda: "0" * 64)
    monkeypatch.delenv("EDGE_CC", raising=False)
    choice = fast_path.choose()
    assert str(copied) not in Path("/proc/self/maps").read_text()
    assert choice.kernels is not None
    assert choice.label.endswith(", compiled here")
    expected = {
        "one bit": "damaged",
        "cut short": "damaged",
        "missing": "FileNotFoundError",
        "no list": "JSONDecodeError",
        "other C files": "build_objects",
    }[fault]
    assert expected in (choice.warning or "")
    assert f"in use: {choice.label}" in (choice.warning or "")


@needs_object
def test_a_bad_object_and_no_compiler_are_both_said(
    fresh: None, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CHOSEN is not None
    (copied / CHOSEN.name).write_bytes(b"")
    none = MissingExtra("there is no C compiler.", hint="install clang.")
    monkeypatch.setattr(engine, "compiler", lambda: none)
    (info,) = CPU.discover()
    assert not info.usable
    assert "damaged" in (info.reason or "")
    assert "no C compiler" in (info.reason or "")
    assert "in use" not in (info.reason or "")
    assert info.remedy == "install clang."


@needs_object
@pytest.mark.skipif(isinstance(engine.compiler(), EdgeError), reason="there is no C compiler")
def test_a_compiler_that_is_named_is_used(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_CC", "clang")
    assert fast_path.choose().label.endswith(", compiled here")
    fast_path._tested.cache_clear()

    def fail() -> None:
        raise RuntimeError("the compiler gave no object")

    monkeypatch.setattr(fast_path, "_compile", fail)
    choice = fast_path.choose()
    assert choice.label.endswith(", prebuilt")
    assert "no object" in (choice.warning or "")


_NO_COMPILER = (
    "import sys, importlib.util as u; find = u.find_spec\n"
    "u.find_spec = lambda name, *a: None if name == 'ziglang' else find(name, *a)\n"
    "import edge_sdk\n"
    "from edge_sdk.model_file import open_model\n"
    "with edge_sdk.open_device('cpu') as device:\n"
    "    print(device.info.details['kernels'])\n"
    "    print(device.info.details['compiler'])\n"
    "    model = open_model(sys.argv[1])\n"
    "    print(len(device.load(model).feed([1, 2]).logits))\n"
    "    print('tinygrad' in sys.modules)\n"
    "    import os; os.environ['EDGE_KERNELS'] = 'graph'\n"
    "    try: device.load(model)\n"
    "    except edge_sdk.EdgeError as error: print(error.hint)\n"
)


@needs_object
def test_a_machine_without_a_compiler_runs_models(
    tmp_path: Path, golden_model: edge_sdk.Model
) -> None:
    """A real process without clang and zig; nor does it load tinygrad, which would look for one."""
    done = subprocess.run(
        [sys.executable, "-c", _NO_COMPILER, str(golden_model.path)],
        env={name: value for name, value in os.environ.items() if not name.startswith("EDGE_")}
        | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kernels, compiler, logits, tinygrad, hint = done.stdout.splitlines()
    assert kernels.startswith("fused C, ") and kernels.endswith(", prebuilt")
    assert compiler.startswith("none")
    assert int(logits) == golden_model.config.vocab_size
    assert tinygrad == "False"
    assert "edge-sdk[compiler]" in hint
