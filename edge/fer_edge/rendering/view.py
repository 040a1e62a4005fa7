"""``View``: a result as sinks receive it, with its image already annotated, mirrored or anonymized.

Sinks receive views, never frames. Everything that has to happen to an image before anybody sees it happens here,
once for all sinks, so that it cannot be forgotten.
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

    ``mirror`` flips the image left to right, but not the coordinates. ``ids`` draws each face's id next to its label.
    ``hidden`` states how and where faces are made unrecognizable.

    >>> from fer_edge import EmotionRecognizer, View
    >>> with EmotionRecognizer() as recognizer, recognizer.stream("clip.mp4") as results:
    ...     view = View(next(results))
    ...     print(view.index, [face.emotion for face in view.faces], view.image().dtype)
    0 ['neutral'] uint8
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
        """The time that drawing took, in seconds; None until the image is first requested."""

    @property
    def source(self) -> str:
        """The source as given by the user."""
        return self._result.frame.source

    @property
    def index(self) -> int:
        """The frame's number in its source, from 0."""
        return self._result.frame.index

    @property
    def time_s(self) -> float | None:
        """The time on the source's clock in seconds; None for a still image."""
        return self._result.frame.time_s

    @property
    def clock(self) -> datetime | None:
        """The wall-clock time of a live frame, with its UTC offset; otherwise None."""
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
        """Return this view with other faces."""
        return self._of(replace(self._result, faces=faces))

    def without_pixels(self) -> View:
        """Return this view without its image, which frees the image's memory."""
        frame = self._result.frame
        bare = Frame(_no_pixels, frame.source, frame.index, frame.time_s, size=frame.size, clock=frame.clock)
        return self._of(replace(self._result, frame=bare))

    def _of(self, result: FrameResult) -> View:
        return View(result, mirror=self._mirror, ids=self._ids, hidden=self._hidden)

    def as_record(self) -> FrameRecord:
        """Return the frame's row, as written to JSON Lines."""
        return self._result.as_record()

    def image(self) -> Image:
        """Return the annotated image, uint8 (height, width, 3) BGR, drawn on first use.

        Every call returns the same array, which must not be modified.
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
        """Return the head of a face, uint8 (height, width, 3) BGR, without annotations.

        It is mirrored if the image is. Raises ValueError if faces are hidden or the face is outside the image.
        """
        if self._hidden is not None:
            raise ValueError("cannot crop faces: they are hidden in this view")
        image = self._result.frame.image
        box = cover_face(face.detection).box.clipped(*self.size)
        if box is None:
            raise ValueError("cannot crop the face: it is outside the image")
        part = image[box.y : box.y + box.height, box.x : box.x + box.width]
        return np.asarray(cv2.flip(part, 1) if self._mirror else part.copy(), np.uint8)


def _no_pixels() -> NoReturn:
    raise ValueError("this view no longer has pixels")
