"""Render text in any script for which this machine has a font.

Pillow includes Aileron, which covers English. A label with other letters is rendered in the first system font that
has all of them. If there is none, accents are removed and unknown letters become question marks.
"""

from __future__ import annotations

import logging
import os
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["Text", "render_text"]

_log = logging.getLogger(__name__)

_SUFFIXES: Final = {".ttf", ".otf", ".ttc"}
_PREFERRED: Final = ("dejavusans", "notosans", "liberationsans", "arial")
_SPECIAL: Final = (
    "bold",
    "italic",
    "oblique",
    "light",
    "thin",
    "black",
    "mono",
    "serif",
    "condensed",
    "math",
)
_ABSENT: Final = "\U0010fffd"  # a private-use code point, which shows a font's glyph for missing letters
_PROBE_SIZE: Final = 16


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered text.

    ``mask`` is uint8 (height, width), read-only: how much of each pixel the letters cover, 0…255. ``ascent`` is the
    number of its rows above the baseline. Height and ascent depend only on the font and the size.
    """

    mask: NDArray[np.uint8]
    ascent: int


@lru_cache(maxsize=1024)
def render_text(text: str, size: int) -> Text:
    """Render a line of text; ``size`` is the font size in pixels (the em).

    The last 1024 texts are cached.
    """
    from PIL import Image, ImageDraw  # imported here, because runs that draw nothing do not need it

    path, text = _choose_font(text)
    font = _load(path, size)
    ascent, descent = font.getmetrics()
    left, _, right, _ = font.getbbox(text, anchor="ls")
    canvas = Image.new("L", (max(1, int(right - left)), max(1, ascent + descent)))
    ImageDraw.Draw(canvas).text((-left, ascent), text, 255, font, anchor="ls")
    mask = np.array(canvas, np.uint8)
    mask.flags.writeable = False
    return Text(mask, ascent)


@lru_cache(maxsize=64)
def _load(path: Path | None, size: int) -> FreeTypeFont:
    """Load a font at a size in pixels; None is the built-in font.

    Raises OSError if the file cannot be used.
    """
    from PIL import ImageFont

    if path is not None:
        return ImageFont.truetype(str(path), size)  # Pillow 10 does not accept Path
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


@lru_cache(maxsize=256)
def _choose_font(text: str) -> tuple[Path | None, str]:
    """Return the font for a text, None for the built-in one, and the text it can show."""
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    if _has_letters(None, text):
        return None, text
    for path in _system_fonts():
        if _has_letters(path, text):
            _log.debug("label %r is rendered with %s", text, path)
            return path, text
    plain = _simplify(text)
    _log.warning(
        "no font has all letters of the label %r: it is rendered as %r; install a Noto font",
        text,
        plain,
    )
    return None, plain


def _has_letters(path: Path | None, text: str) -> bool:
    """Return whether a font is usable and has a glyph for every letter of a text."""
    try:
        font = _load(path, _PROBE_SIZE)
        absent = font.getmask(_ABSENT)
        missing = absent.size, bytes(absent)
        for letter in sorted(set(text)):
            if letter.isspace() or unicodedata.category(letter) == "Cf":
                continue
            glyph = font.getmask(letter)
            if (glyph.size, bytes(glyph)) == missing:
                return False
    except (OSError, ValueError):  # the font is damaged or has only bitmaps of other sizes
        return False
    return True


def _simplify(text: str) -> str:
    """Reduce a text to the built-in font's letters.

    Accents are removed, and other letters become question marks.
    """
    letters = unicodedata.normalize("NFKD", text)
    kept = (letter for letter in letters if not unicodedata.combining(letter))
    return "".join(letter if _has_letters(None, letter) else "?" for letter in kept)


@lru_cache(maxsize=1)
def _system_fonts() -> tuple[Path, ...]:
    """Return the system's font files, preferring common upright sans-serif fonts."""

    def order(path: Path) -> tuple[bool, bool, str, str]:
        name = path.stem.lower().replace(" ", "").replace("-", "")
        return any(word in name for word in _SPECIAL), not name.startswith(_PREFERRED), name, str(path)

    return tuple(sorted(_find_fonts(), key=order))


def _find_fonts() -> Iterator[Path]:
    for folder in _font_folders():
        for parent, _, names in os.walk(folder):  # skips folders that do not exist or are not readable
            yield from (Path(parent, name) for name in names if Path(name).suffix.lower() in _SUFFIXES)


def _font_folders() -> list[Path]:
    """Return the system's font folders, without using fontconfig."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises if a user has no home
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA", home / "AppData/Local"))
        return [Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts"), local / "Microsoft/Windows/Fonts"]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    own = Path(os.environ.get("XDG_DATA_HOME", home / ".local/share"), "fonts")
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), own, home / ".fonts"]
