"""The detector interface and the request that a detector is created from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from fer_edge.errors import UsageError
from fer_edge.types import Detection, FaceBox, Frame

__all__ = ["MAX_BOX", "Detector", "DetectorFactory", "DetectorRequest", "DetectorTraits", "refuse_model"]

MAX_BOX: Final = 4
"""The longest side of a box, in sides of the frame. Larger ones are not those of faces; their crops need gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorTraits:
    """The properties of a detector that the tracker uses.

    ``tracked`` means that the tracker follows the detector's faces between searches; otherwise every frame is searched.
    ``follow_margin`` is the margin around a face, in face sizes, that it needs to find the face again.
    ``sure_support`` is the support that a detection needs to count as a face by itself; a detection with less only
    confirms, in a search for one face of known size, a face that was there a moment ago. ``cheap_parts``
    means that searching part of a frame, or only for large faces, is faster than a full search. ``all_sizes`` means
    that one search finds faces of all sizes, so parts are searched once and not for one range of sizes after another.

    >>> from fer_edge import DetectorTraits
    >>> DetectorTraits(tracked=False).tracked
    False
    """

    tracked: bool = True
    follow_margin: float = 0.2
    sure_support: int = 0
    cheap_parts: bool = False
    all_sizes: bool = False


class Detector(Protocol):
    """Finds the faces in one frame, independently of earlier frames.

    Not thread-safe: use one detector per thread. A detector that reads only ``frame.gray`` saves the conversion of a
    video to color.

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
    """The name in the registry."""

    traits: DetectorTraits

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """Return the faces in a frame, clipped to it, or () if there are none.

        ``roi`` is the region to search, inside the frame. None searches the whole frame and returns the largest
        faces first. Only faces from ``min_size`` to ``max_size`` pixels wide are requested; None means
        :meth:`smallest_face` and no limit, respectively. Faces of other sizes that cost nothing may be included,
        but none below the user's ``min_face``. In a whole frame, each face is returned once; in a ``roi`` there
        may be duplicates. Raises DetectorError if detection itself fails.
        """

    def smallest_face(self, frame: Frame) -> int:
        """Return the width in pixels of the smallest face that is searched for in such a frame."""

    def close(self) -> None:
        """Free the detector's resources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRequest:
    """The parameters that a detector is created from.

    ``min_face`` is the smallest face to find, in pixels of the frame; None leaves it to the detector.
    ``still_image``: the input is a single image, so more time may be spent to find more faces. ``model`` is the
    file for a detector without a bundled model; other detectors refuse it (:func:`refuse_model`).
    """

    min_face: int | None = None
    still_image: bool = False
    model: Path | None = None


DetectorFactory = Callable[[DetectorRequest], Detector]


def refuse_model(request: DetectorRequest, name: str) -> None:
    """Raise UsageError if a model file is given for a detector that cannot use it."""
    if request.model is not None:
        raise UsageError(
            f"the detector {name} does not take a model file; leave out {str(request.model)!r}",
            hint="--model, not --detector-model, selects the classifier's model",
        )
