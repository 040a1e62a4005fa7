"""The one gate through which pixels leave the program.

A sink is given views, never frames: whatever has to happen to an image before anybody sees it happens here,
once, however many sinks ask for it, and cannot be left out by oversight.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from fer_edge.rendering.annotate import annotate
from fer_edge.types import FaceResult, Frame, FrameRecord, FrameResult, Image

__all__ = ["View"]


class View:
    """A result without its pixels, and the image of it that may be shown.

    ``mirror`` flips the image left to right, never the coordinates. ``ids`` draws each face's id beside its label.
    """

    __slots__ = ("_drawn", "_ids", "_mirror", "_result", "draw_s")

    def __init__(self, result: FrameResult, *, mirror: bool = False, ids: bool = False) -> None:
        self._result, self._mirror, self._ids = result, mirror, ids
        self._drawn: Image | None = None
        self.draw_s: float | None = None
        """How long drawing took, in seconds; None as long as nobody asked for the image."""

    @property
    def source(self) -> str:
        """The source as the user gave it."""
        return self._result.frame.source

    @property
    def index(self) -> int:
        """The frame's number in its source, from 0."""
        return self._result.frame.index

    @property
    def time_s(self) -> float | None:
        """The source's own clock in seconds; None for a still image."""
        return self._result.frame.time_s

    @property
    def clock(self) -> datetime | None:
        """The wall clock's time of a live frame, with its offset from UTC; None otherwise."""
        return self._result.frame.clock

    @property
    def size(self) -> tuple[int, int]:
        """The frame's width and height in pixels."""
        return self._result.frame.size

    @property
    def faces(self) -> tuple[FaceResult, ...]:
        """The faces in the frame."""
        return self._result.faces

    def with_faces(self, faces: tuple[FaceResult, ...]) -> View:
        """The same view with other faces."""
        return View(replace(self._result, faces=faces), mirror=self._mirror, ids=self._ids)

    def without_pixels(self) -> View:
        """The same view without its image, whose memory it no longer holds."""
        frame = self._result.frame
        bare = Frame(_no_pixels, frame.source, frame.index, frame.time_s, size=frame.size, clock=frame.clock)
        return View(replace(self._result, frame=bare), mirror=self._mirror, ids=self._ids)

    def as_record(self) -> FrameRecord:
        """The frame's row, as JSON Lines hold it."""
        return self._result.as_record()

    def image(self) -> Image:
        """The annotated image, uint8 (height, width, 3) BGR, drawn when it is first asked for.

        All who ask are given the same array: nobody may write to it.
        """
        if self._drawn is None:
            started = time.perf_counter()
            image = self._result.frame.image
            self._drawn = annotate(image, self.faces, mirror=self._mirror, ids=self._ids)
            self.draw_s = time.perf_counter() - started
        return self._drawn


def _no_pixels() -> NoReturn:
    raise ValueError("expected a view with pixels, they were let go")
