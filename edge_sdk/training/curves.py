"""Draws a run's losses over time as an SVG picture, from its log.

It knows the log's events and lines on a plane; it does not know training.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from edge_sdk.training.export import write_text

WIDTH, HEIGHT = 860, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 190, 40, 50
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One plane: a title, what its height is, and named lines."""

    title: str
    unit: str
    lines: dict[str, Points]


def draw_file(log: Path, picture: Path) -> None:
    """Read `log` (JSON lines) and write `picture`: the training loss and bits per byte."""
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    write_text(picture, draw(panels(events)))


def panels(events: Sequence[dict[str, Any]]) -> list[Panel]:
    """The planes that a log gives; those without two points are left out."""
    losses: dict[str, list[tuple[float, float]]] = {}
    scores: dict[str, list[tuple[float, float]]] = {}
    for event in events:
        at = event.get("seconds", 0.0) / 60
        if event["event"] == "step":
            losses.setdefault(f"stage {event['stage']}", []).append((at, event["loss"]))
        elif event["event"] == "validation":
            for source, score in event["bits_per_byte"].items():
                scores.setdefault(source, []).append((at, score.get("bot", score["all"])))
    found = [
        Panel("Training loss", "nats a token", {name: _thin(of) for name, of in losses.items()}),
        Panel("Held-out answers and texts", "bits per byte", dict(sorted(scores.items()))),
    ]
    return [panel for panel in found if any(len(line) > 1 for line in panel.lines.values())]


def draw(of: Sequence[Panel]) -> str:
    """The SVG of the planes, one below the other."""
    height = HEIGHT * max(1, len(of))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for index, panel in enumerate(of):
        parts += [f'<g transform="translate(0 {index * HEIGHT})">', *_plane(panel), "</g>"]
    return "\n".join([*parts, "</svg>\n"])


def _plane(panel: Panel) -> list[str]:
    points = [point for line in panel.lines.values() for point in line]
    far, high = max(x for x, _ in points) or 1.0, max(y for _, y in points) or 1.0
    low = min(0.0, *(y for _, y in points))
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> str:
        across = LEFT + wide * x / far
        down = TOP + tall * (1 - (y - low) / (high - low))
        return f"{across:.1f},{down:.1f}"

    made = [f'<text x="{LEFT}" y="22" font-size="15">{escape(panel.title)}</text>']
    for step in range(5):
        level, minute = low + (high - low) * step / 4, far * step / 4
        x, y = place(minute, level).split(",")
        made += [
            f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>',
            f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" dy="4">{level:.2f}</text>',
            f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{minute:.1f}</text>',
        ]
    made += [
        f'<text x="{LEFT}" y="{HEIGHT - 10}">minutes of training</text>',
        f'<text x="{LEFT}" y="{TOP - 4}" fill="#555">{escape(panel.unit)}</text>',
    ]
    for index, (name, line) in enumerate(panel.lines.items()):
        dash = ' stroke-dasharray="5 3"' if index >= len(_COLOURS) else ""
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(place(x, y) for x, y in line)
        row = TOP + 14 * index
        made += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>',
            f'<path d="M{WIDTH - RIGHT + 12} {row}h18" stroke="{colour}" stroke-width="2"{dash}/>',
            f'<text x="{WIDTH - RIGHT + 36}" y="{row}" dy="4">{escape(name)}</text>',
        ]
    return made


def _thin(line: Sequence[tuple[float, float]], most: int = 400) -> list[tuple[float, float]]:
    """At most `most` points, each the mean of its neighbours."""
    size = -(-len(line) // most)
    groups = [line[at : at + size] for at in range(0, len(line), max(size, 1))]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]
