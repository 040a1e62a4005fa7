"""Shared parts of all plots: colors, layout and saving.

Importing this module imports Matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib import rc_context
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_edge.runtime.atomic_files import staged_file

__all__ = [
    "BLUE",
    "GRID",
    "INK",
    "RED",
    "SOFT",
    "compute_label_width",
    "format_counts",
    "format_shares",
    "new_figure",
    "plain_text",
    "save_figure",
]

BLUE: Final = "#0b6ea8"
RED: Final = "#d1495b"
INK: Final = "#222222"
SOFT: Final = "#5c5c5c"
GRID: Final = "#e6e6e6"
plain_text: Final = rc_context({"text.parse_math": False})
"""Decorator of a function that draws names of labels and files, in which ``$`` does not begin a formula."""
_LETTER: Final = 0.072  # inches per letter of an axis label


def compute_label_width(labels: Sequence[str]) -> float:
    """Compute the width in inches that the longest label needs next to an axis."""
    return max(0.4, _LETTER * max(map(len, labels)))


def new_figure(width: float, height: float, *, dpi: int = 120) -> Figure:
    """Create a figure of a size in inches, with constrained layout and a margin."""
    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(w_pad=0.1, h_pad=0.1)
    return figure


def format_shares(axis: Axis) -> None:
    """Label an axis of shares, 0…1, in percent, with as many decimal places as its range needs."""
    axis.set_major_formatter(PercentFormatter(1, decimals=None, symbol=" %"))


def format_counts(axis: Axis) -> None:
    """Label an axis of counts at whole numbers only, however short it is."""
    axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axis.set_major_formatter("{x:,.0f}")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as an image in the format of the file suffix; raises OutputError."""
    with staged_file(path) as part:
        figure.savefig(part)
