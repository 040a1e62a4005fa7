"""What a detector is, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fer_edge.errors import UsageError
from fer_edge.types import Detection, FaceBox, Frame

__all__ = ["Detector", "DetectorFactory", "DetectorRequest", "DetectorTraits", "refuse_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorTraits:
    """What the tracker needs to know of a detector to use it well.

    ``tracked``: its faces are worth following from frame to frame; otherwise every frame is searched.
    ``follow_margin`` is how much around a face, in face sizes, it wants to see to find it again.
    ``sure_support`` is the support that a detection needs to be a face by itself; with less, a search for one
    face of a known size tells where a face is that was there a moment ago, and nothing else does.
    ``cheap_parts``: it costs less to search a part of a frame than the whole, and large faces alone less than all.

    >>> from fer_edge import DetectorTraits
    >>> DetectorTraits(tracked=False).tracked
    False
    """

    tracked: bool = True
    follow_margin: float = 0.2
    sure_support: int = 0
    cheap_parts: bool = False


class Detector(Protocol):
    """Finds the faces of one frame, without memory of those before. Not thread-safe: each thread has its own.

    One that reads ``frame.gray`` alone saves a video's conversion to color.

    >>> from fer_edge import Detection, DetectorTraits, EmotionRecognizer, FaceBox
    >>> class Middle:
    ...     name, traits = "middle", DetectorTraits(tracked=False)
    ...     def detect(self, frame, roi=None, *, min_size=None, max_size=None):
    ...         (width, height), side = frame.size, self.smallest_face(frame)
    ...         return (Detection(FaceBox((width - side) // 2, (height - side) // 2, side, side)),)
    ...     def smallest_face(self, frame):
    ...         return min(frame.size) // 2
    ...     def close(self):
    ...         pass
    >>> with EmotionRecognizer(detector=Middle()) as recognizer:
    ...     recognizer.analyze("face.jpg")[0].box
    FaceBox(x=128, y=172, width=256, height=256)
    """

    name: str
    """The one in the registry."""

    traits: DetectorTraits

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """Find the faces of a frame, inside it; () where there is none.

        ``roi`` is the part to search, inside the frame; None: all of it, and the faces come largest first.
        Only faces at least ``min_size`` and at most ``max_size`` pixels wide are wanted; None: what
        :meth:`smallest_face` says, and any. Those that come for nothing may be among them, but none below the
        user's ``min_face``. Of a whole frame's faces none is another one's double; in a ``roi`` some may be.
        Raises DetectorError when detection itself fails.
        """

    def smallest_face(self, frame: Frame) -> int:
        """Return the width in pixels of the smallest face that is looked for in such a frame."""

    def close(self) -> None:
        """Free what the detector holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRequest:
    """What a detector is made from.

    ``min_face`` is the smallest face to find, in pixels of the frame; None leaves it to the detector.
    ``still_image``: time may be spent on finding more, as it is a single image. ``model`` is the file of a
    detector that brings none; others refuse it (:func:`refuse_model`).
    """

    min_face: int | None = None
    still_image: bool = False
    model: Path | None = None


DetectorFactory = Callable[[DetectorRequest], Detector]


def refuse_model(request: DetectorRequest, name: str) -> None:
    """Raise UsageError where a model file is named for a detector that takes none."""
    if request.model is not None:
        raise UsageError(
            f"--detector {name} takes no --detector-model, got {str(request.model)!r}; leave it out "
            "(--model is the one that classifies)"
        )
