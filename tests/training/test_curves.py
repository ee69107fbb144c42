"""The picture of a run's losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from edge_sdk.training.curves import draw, draw_file, panels

SCORES = {"a<b": {"all": 2.0, "bot": 1.5}, "c": {"all": 1.0}}
EVENTS: list[dict[str, Any]] = [
    *(
        {"event": "step", "seconds": 60.0 * at, "loss": 3.0 - at / 10, "stage": 1 + at // 5}
        for at in range(9)
    ),
    *({"event": "validation", "seconds": 60.0 * at, "bits_per_byte": SCORES} for at in (1, 8)),
]


def test_losses_by_stage_and_scores_by_source() -> None:
    losses, scores = panels(EVENTS)
    assert {name: len(line) for name, line in losses.lines.items()} == {"stage 1": 5, "stage 2": 4}
    assert scores.lines == {"a<b": [(1.0, 1.5), (8.0, 1.5)], "c": [(1.0, 1.0), (8.0, 1.0)]}
    assert panels([]) == []


def test_the_picture_is_well_formed_and_inside_its_frame() -> None:
    root = ElementTree.fromstring(draw(panels(EVENTS)))
    lines = root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4
    for line in lines:
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 860 and 0 <= y <= 420


def test_a_log_becomes_a_file(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"event": "start"}\n', encoding="utf-8")
    draw_file(log, tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").read_text("utf-8").endswith("</svg>\n")
