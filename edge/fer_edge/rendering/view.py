"""The one gate through which pixels leave the program.

A sink is given views, never frames: whatever has to happen to an image before anybody sees it happens here,
once, however many sinks ask for it, and cannot be left out by oversight.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

import cv2
import numpy as np

from fer_edge.rendering.annotate import annotate
from fer_edge.rendering.anonymize import AnonymizerMode, Cover, cover_face, hide_faces
from fer_edge.types import FaceResult, Frame, FrameRecord, FrameResult, Image

__all__ = ["View"]


class View:
    """A result without its pixels, and the image of it that may be shown.

    ``mirror`` flips the image left to right, never the coordinates. ``ids`` draws each face's id beside its label.
    ``hidden`` says how the faces are made unrecognisable, and where.
    """

    __slots__ = ("_drawn", "_hidden", "_ids", "_mirror", "_result", "draw_s")

    def __init__(
        self,
        result: FrameResult,
        *,
        mirror: bool = False,
        ids: bool = False,
        hidden: tuple[AnonymizerMode, Sequence[Cover]] | None = None,
    ) -> None:
        self._result, self._mirror, self._ids, self._hidden = result, mirror, ids, hidden
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
        return self._of(replace(self._result, faces=faces))

    def without_pixels(self) -> View:
        """The same view without its image, whose memory it no longer holds."""
        frame = self._result.frame
        bare = Frame(_no_pixels, frame.source, frame.index, frame.time_s, size=frame.size, clock=frame.clock)
        return self._of(replace(self._result, frame=bare))

    def _of(self, result: FrameResult) -> View:
        return View(result, mirror=self._mirror, ids=self._ids, hidden=self._hidden)

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
            if self._hidden is not None:
                mode, covers = self._hidden
                image = hide_faces(image, covers, mode)
            self._drawn = annotate(image, self.faces, mirror=self._mirror, ids=self._ids)
            self.draw_s = time.perf_counter() - started
        return self._drawn

    def crop_face(self, face: FaceResult) -> Image:
        """The head of a face, uint8 (height, width, 3) BGR, nothing drawn into it, flipped as the image is.

        Raises ValueError where faces are hidden.
        """
        if self._hidden is not None:
            raise ValueError("expected a view that shows faces, they are hidden")
        image = self._result.frame.image
        box = cover_face(face.detection).box.clipped(*self.size)
        if box is None:
            raise ValueError("expected a face within the image, it lies outside")
        part = image[box.y : box.y + box.height, box.x : box.x + box.width]
        return np.asarray(cv2.flip(part, 1) if self._mirror else part.copy(), np.uint8)


def _no_pixels() -> NoReturn:
    raise ValueError("expected a view with pixels, they were let go")
