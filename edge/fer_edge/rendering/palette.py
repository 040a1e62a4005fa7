"""Colors for emotions, distinguishable with color blindness, and for their text.

The colors are from M. Okabe and K. Ito, "Color Universal Design" (2008), with a pale gray for neutral. The CIELAB
distance between any two of the seven is above 15 in normal vision and in simulated protanopia, deuteranopia and
tritanopia (G. Machado et al., 2009).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

__all__ = ["Color", "choose_text_color", "color_of", "compute_contrast_ratio"]

Color = tuple[int, int, int]
"""Blue, green, red, each 0…255."""

BLACK: Final[Color] = (0, 0, 0)
WHITE: Final[Color] = (255, 255, 255)


def _bgr(code: str) -> Color:
    red, green, blue = bytes.fromhex(code)
    return blue, green, red


EMOTIONS: Final[Mapping[str, Color]] = {
    "angry": _bgr("D55E00"),  # vermilion
    "disgust": _bgr("009E73"),  # bluish green
    "fear": _bgr("CC79A7"),  # reddish purple
    "happy": _bgr("F0E442"),  # yellow
    "sad": _bgr("0072B2"),  # blue
    "surprise": _bgr("56B4E9"),  # sky blue
    "neutral": _bgr("DDDDDD"),  # pale gray
}
"""The colors of FER-2013's labels."""

OTHERS: Final[tuple[Color, ...]] = (
    _bgr("E69F00"),  # orange
    *EMOTIONS.values(),
    _bgr("882255"),  # wine; this and the following are from P. Tol's muted scheme
    _bgr("332288"),
    _bgr("999933"),
    _bgr("44AA99"),
)
"""The colors of other labels, in the order in which they are assigned."""


def color_of(label: str, labels: tuple[str, ...]) -> Color:
    """Return the color of a label, which depends only on the model's labels.

    FER-2013's labels have the same color in every model, regardless of case. Other labels get, in the model's
    order, the next color that none of its FER-2013 labels has. Colors repeat after all have been assigned.
    """
    return _assign_colors(labels).get(label, OTHERS[0])


@lru_cache(maxsize=32)
def _assign_colors(labels: tuple[str, ...]) -> Mapping[str, Color]:
    colors = {label: EMOTIONS[label.casefold()] for label in labels if label.casefold() in EMOTIONS}
    free = [color for color in OTHERS if color not in colors.values()]
    others = [label for label in labels if label not in colors]
    return colors | {label: free[number % len(free)] for number, label in enumerate(others)}


@lru_cache(maxsize=64)
def choose_text_color(ground: Color) -> Color:
    """Return black or white, whichever has more contrast; at least 4.58 on any color."""
    return max((BLACK, WHITE), key=lambda ink: compute_contrast_ratio(ink, ground))


def compute_contrast_ratio(one: Color, other: Color) -> float:
    """Return the contrast ratio of two colors, 1…21 (WCAG 2.1, 1.4.3)."""
    dark, light = sorted((_compute_luminance(one), _compute_luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _compute_luminance(color: Color) -> float:
    """Return the relative luminance, 0…1 (WCAG 2.1)."""
    blue, green, red = (_linearize(value / 255) for value in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linearize(value: float) -> float:
    """Convert an sRGB value to linear light, both 0…1 (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
