"""Draws layers.svg and data.svg for docs/architecture.md: ``python -m docs.images.make_architecture``.

The layers are those that tests/contract/test_imports.py holds the code to; the stages name classes that exist. A test
draws both again and compares them with the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from tests.contract.test_imports import LAYERS

HERE: Final = Path(__file__).resolve().parent

COLORS: Final = {"fer_edge": "#2f6f9f", "fer_train": "#8a5a19", "fer_convert": "#4d7a2c"}
STYLE: Final = "font-family='system-ui, sans-serif' font-size='13'"
WIDTH: Final = 880
ROW: Final = 34
PACKAGE_WIDTHS: Final = {"fer_edge": 310, "fer_train": 240, "fer_convert": 270}


class Stage(NamedTuple):
    """A step of the data: what works, where it is, and what leaves it."""

    worker: str
    module: str
    gives: str


STAGES: Final = (
    Stage("Source", "fer_edge.sources.base", "Frame"),
    Stage("Detector", "fer_edge.detectors.base", "Detection"),
    Stage("Tracker", "fer_edge.tracking.tracker", "Detection"),
    Stage("Classifier", "fer_edge.classification.classifier", "EmotionScores"),
    Stage("Smoother", "fer_edge.classification.smoothing", "EmotionScores"),
    Stage("Pipeline", "fer_edge.pipeline", "FrameResult"),
    Stage("Session", "fer_edge.session", "View"),
    Stage("Sink", "fer_edge.sinks.base", ""),
)
"""The output of a stage is a class of fer_edge.types or fer_edge.rendering.view."""


def draw_layers() -> str:
    """Draw the layers of the three packages, the highest one on top."""
    rows = max(len(layers) for layers in LAYERS.values())
    height = 64 + rows * ROW
    parts, left = [], 10
    for package, layers in LAYERS.items():
        parts += _draw_package(package, layers, left, height)
        left += PACKAGE_WIDTHS[package] + 20
    return _svg(height, "The layers of the three packages; imports point downwards and to the left", parts)


def _draw_package(package: str, layers: tuple[str, ...], left: int, height: int) -> Iterator[str]:
    width, color = PACKAGE_WIDTHS[package], COLORS[package]
    top = height - 20 - len(layers) * ROW
    yield _text(left, top - 10, package, color=color, weight="bold", size=15)
    for number, layer in enumerate(reversed(layers)):
        rooms, x = layer.split(" | "), float(left)
        share = (width - 6 * (len(rooms) - 1)) / sum(len(room) + 2 for room in rooms)
        for room in rooms:
            room_width = share * (len(room) + 2)
            yield _box(x, top + number * ROW, room_width, ROW - 6, color)
            yield _text(x + room_width / 2, top + number * ROW + 19, room, anchor="middle")
            x += room_width + 6


def draw_data() -> str:
    """Draw the way of the data through the runtime, from left to right and top to bottom."""
    parts, wide, high, color = [], 140, 44, COLORS["fer_edge"]
    for number, stage in enumerate(STAGES):
        row, column = divmod(number, 4)
        x, y = 10 + column * 228, 14 + row * 110
        parts += [
            _box(x, y, wide, high, color),
            _text(x + wide / 2, y + 19, stage.worker, anchor="middle", weight="bold"),
        ]
        room = stage.module.removeprefix("fer_edge.").partition(".")[0]
        parts.append(_text(x + wide / 2, y + 36, room, anchor="middle", size=11))
        if not stage.gives:
            continue
        if column < 3:
            parts.append(_arrow(f"M{x + wide} {y + high / 2} h80"))
            parts.append(_text(x + wide + 42, y + high / 2 - 8, stage.gives, anchor="middle", size=10))
        else:
            middle = y + high + 33
            parts.append(_arrow(f"M{x + wide / 2} {y + high} V{middle} H85 V{y + 106}"))
            parts.append(_text(WIDTH / 2, middle - 6, stage.gives, anchor="middle", size=11))
    return _svg(184, "The way of the data: " + ", ".join(stage.worker for stage in STAGES), parts)


def _svg(height: float, title: str, parts: list[str]) -> str:
    marker = (
        "<defs><marker id='tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='8' markerHeight='8' orient='auto'>"
        "<path d='M0 0 L8 4 L0 8 z' fill='#444'/></marker></defs>"
    )
    lines = [
        f"<title>{escape(title)}</title>",
        marker,
        f"<rect width='{WIDTH}' height='{height}' fill='#fff'/>",
        *parts,
    ]
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' role='img' {STYLE}>"
    return "\n".join([head, *lines, "</svg>"]) + "\n"


def _box(x: float, y: float, width: float, height: float, color: str) -> str:
    return (
        f"<rect x='{x:g}' y='{y:g}' width='{width:g}' height='{height:g}' rx='5' "
        f"fill='{color}' fill-opacity='0.12' stroke='{color}'/>"
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    weight: str = "normal",
    size: int = 13,
    color: str = "#222",
) -> str:
    return (
        f"<text x='{x:g}' y='{y:g}' text-anchor='{anchor}' font-weight='{weight}' font-size='{size}' "
        f"fill='{color}'>{escape(text)}</text>"
    )


def _arrow(path: str) -> str:
    return f"<path d='{path}' fill='none' stroke='#444' stroke-width='1.4' marker-end='url(#tip)'/>"


def main() -> None:
    """Write both diagrams next to this file."""
    (HERE / "layers.svg").write_text(draw_layers(), encoding="utf-8")
    (HERE / "data.svg").write_text(draw_data(), encoding="utf-8")


if __name__ == "__main__":
    main()
