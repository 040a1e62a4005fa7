"""What a detector is, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fer_edge.types import Detection, FaceBox, Frame

__all__ = ["Detector", "DetectorFactory", "DetectorRequest", "DetectorTraits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorTraits:
    """What the tracker needs to know of a detector to use it well.

    ``tracked``: its faces are worth following from frame to frame; otherwise every frame is searched.
    ``follow_margin`` is how much around a face, in face sizes, it wants to see to find it again.
    ``cheap_parts``: to search a part of a frame, or large faces alone, costs it less than the whole.
    """

    tracked: bool = True
    follow_margin: float = 0.2
    cheap_parts: bool = False


class Detector(Protocol):
    """Finds the faces of one frame, without memory of those before. Not thread-safe: each thread has its own."""

    name: str
    traits: DetectorTraits

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """The faces of a frame, inside it; () where there is none.

        ``roi`` is the part to search, inside the frame; None: all of it, and the faces come largest first.
        Only faces at least ``min_size`` and at most ``max_size`` pixels wide are wanted; None: what
        :meth:`smallest_face` says, and any. Others may be among the faces, and overlapping ones in a ``roi``.
        Raises DetectorError when detection itself fails.
        """

    def smallest_face(self, frame: Frame) -> int:
        """The width in pixels of the smallest face that is looked for in such a frame."""

    def close(self) -> None:
        """Free what the detector holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRequest:
    """What a detector is made from.

    ``min_face`` is the smallest face to find, in pixels of the frame; None leaves it to the detector.
    ``still_image`` spends time on finding more, for single images. ``model`` is the file of a detector that
    brings none.
    """

    min_face: int | None = None
    still_image: bool = False
    model: Path | None = None


DetectorFactory = Callable[[DetectorRequest], Detector]
