"""From a board to the bytes of its image: elaborate, name, run the tools, judge the report.

It knows the order of these steps; it does not know where images are kept.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edge_sdk.errors import VerifyFailed
from edge_sdk.firmware_images.gateware.boards.board import Board
from edge_sdk.firmware_images.gateware.link.layout import BUILD_ID_BYTES
from edge_sdk.firmware_images.gateware.toolchain import (
    LUT4,
    REPORT,
    Report,
    commands_of,
    read_report,
    run_tool,
    versions,
)
from edge_sdk.firmware_images.manifest import ImageManifest, source_hash

LOG = "top.tim"
# Cells as the makers of the chips, or yosys, call them.
_LUTS = (LUT4, "ALU")
_FLIP_FLOPS = ("TRELLIS_FF", "DFF")
_BLOCK_RAMS = ("DP16KD", "BSRAM")
_MULTIPLIERS = ("MULT18X18D", "MULT18X18", "MULT9X9")


@dataclass(frozen=True)
class Image:
    """An image and what is known of it."""

    data: bytes
    manifest: ImageManifest
    report: Report


@dataclass(frozen=True)
class Plan:
    """What the tools are given."""

    files: dict[str, bytes | str]
    digest: str


def make_plan(board: Board, build_id: bytes) -> Plan:
    """Elaborate `board` with that build id in its ROM; the same on every machine and folder."""
    options = {
        **board.options,
        "nextpnr_opts": f"--seed {board.seed} --freq {board.clock_hz / 1e6:g} --report {REPORT} "
        # A clock that is not met is found in the report, and refused.
        "--timing-allow-fail",
    }
    if board.usercode:
        code = int.from_bytes(build_id[-4:], "big")
        options[board.usercode] = f"{options.get(board.usercode, '')} --usercode {code}".strip()
    # Amaranth takes options from the environment too; they would be in no build id.
    for name in [name for name in os.environ if name.startswith("AMARANTH_")]:
        del os.environ[name]
    plan = board.platform().prepare(board.design(board, build_id), "top", emit_src=False, **options)
    return Plan(dict(plan.files), plan.digest(32).hex())


def build_id_of(board: Board, tools: dict[str, str]) -> bytes:
    """The name of what would be built: plan with the id zeroed, tools, seed, options."""
    parts = {
        "plan": make_plan(board, bytes(BUILD_ID_BYTES)).digest,
        "tools": tools,
        "seed": board.seed,
        "options": dict(board.options),
    }
    text = json.dumps(parts, sort_keys=True)
    return hashlib.blake2s(text.encode()).digest()[:BUILD_ID_BYTES]


def build_image(
    board: Board, folder: Path, say: Callable[[str], None], *, seed: int | None = None
) -> Image:
    """Build `board` in `folder`, which is empty and stays the caller's; this takes minutes.

    say: told what begins, and each line of the tools after a tab.
    Raises MissingExtra, VerifyFailed if timing is not met, EdgeError if a tool fails.
    """
    if seed is not None:
        board = replace(board, seed=seed)
    versions(["yosys"])
    sources = source_hash()
    say("elaborate")
    commands = commands_of(make_plan(board, bytes(BUILD_ID_BYTES)).files)
    tools = versions(command[0] for command in commands)
    build_id = build_id_of(board, tools)
    plan = make_plan(board, build_id)
    for name, content in plan.files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
    for command in commands_of(plan.files):
        say(command[0])
        run_tool(command, folder, lambda line: say(f"\t{line}"))
    log = (folder / LOG).read_text("utf-8", "replace")
    report = read_report((folder / REPORT).read_text("utf-8"), log)
    # The tool counts in picoseconds.
    apart = [abs(wanted / board.clock_hz - 1) for _, wanted in report.clocks.values()]
    if min(apart) > 1e-3:
        raise VerifyFailed(
            f"no clock was timed for {board.clock_hz / 1e6:g} MHz, so there is no image.",
            hint="a defect of the board's file: its clock has no constraint.",
        )
    if not report.met:
        slow = ", ".join(
            f"{net} reaches {achieved / 1e6:.2f} of {wanted / 1e6:.2f} MHz"
            for net, (achieved, wanted) in report.clocks.items()
            if achieved < wanted
        )
        raise VerifyFailed(
            f"timing was not met, so there is no image: {slow}.",
            hint="try another --seed, or a lower clock in the board's file.",
        )
    data = (folder / board.product).read_bytes()
    if board.compress:
        data = gzip.compress(data, 9, mtime=0)
    return Image(data, _manifest(board, data, build_id, report, tools, sources), report)


def _manifest(
    board: Board,
    data: bytes,
    build_id: bytes,
    report: Report,
    tools: dict[str, str],
    sources: str,
) -> ImageManifest:
    def used(kinds: tuple[str, ...]) -> int:
        return sum(report.used.get(kind, 0) for kind in kinds)

    geometry = board.geometry
    return ImageManifest(
        board=board.name,
        title=board.title,
        device=board.device,
        image=board.image,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        build_id=build_id.hex(),
        clock_hz=board.clock_hz,
        achieved_hz=report.achieved_hz,
        lut4=used(_LUTS),
        flip_flops=used(_FLIP_FLOPS),
        block_rams=used(_BLOCK_RAMS),
        multipliers=used(_MULTIPLIERS),
        lanes=geometry.lanes,
        memory_bits=geometry.memory_bits,
        memory_words=geometry.memory_words,
        x_depth=geometry.x_depth,
        s_depth=geometry.s_depth,
        a_depth=geometry.a_depth,
        b_depth=geometry.b_depth,
        q_depth=geometry.q_depth,
        seed=board.seed,
        options=" ".join(f"{name}={value}" for name, value in sorted(board.options.items())),
        source_hash=sources,
        tools=tools,
        idcode=f"{board.idcode:#010x}" if board.idcode is not None else "",
    )
