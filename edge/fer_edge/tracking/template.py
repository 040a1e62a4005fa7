"""Find a face again in the next frame by its appearance.

Template matching uses a few hundred pixels and takes a tenth of a millisecond; a cascade takes one to fifty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import FaceBox, GrayImage

__all__ = ["Match", "Template", "correlate_detail", "match_template", "thin_out"]

_SIDE: Final = 28  # pixels: the width at which a template is stored
_REACH: Final = 0.4  # how far a face may move between two frames, in face sizes
# Detail that distinguishes faces lies between these sigmas, in pixels of a template: finer than the shading that all
# faces share, and coarser than noise. Chosen by bench/cuts.py.
_FINE, _COARSE = 0.5, 2.5
# Degrees and scale by which a face may change from one frame to the next.
_CHANGES: Final = ((0, 1.0), (10, 1.0), (-10, 1.0), (0, 1.1), (0, 1 / 1.1))


@dataclass(frozen=True, slots=True)
class Template:
    """A face's appearance.

    ``pixels`` is uint8 (height, width), gray, reduced; ``box`` is the face's position in its frame.
    """

    pixels: NDArray[np.uint8]
    box: FaceBox

    @classmethod
    def from_box(cls, gray: GrayImage, box: FaceBox) -> Template:
        """Create the template of a face in a uint8 (height, width) gray image."""
        return cls(_reduce_box(gray, box, _scale(box)), box)

    def similarity(self, gray: GrayImage, box: FaceBox) -> float:
        """Return the normalized correlation with the content of another box, -1…1."""
        height, width = self.pixels.shape
        other = Template.from_box(gray, box).pixels
        other = np.asarray(cv2.resize(other, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        score = float(cv2.matchTemplate(other, self.pixels, cv2.TM_CCOEFF_NORMED)[0, 0])
        return score if np.isfinite(score) else 0.0


@dataclass(frozen=True, slots=True)
class Match:
    """The new position of a face.

    ``similarity`` is the normalized correlation with its template, at most 1.
    """

    box: FaceBox
    similarity: float


def match_template(
    gray: GrayImage, template: Template, near: FaceBox, *, size: float = 1.0, reach: float = _REACH
) -> Match:
    """Find the place around ``near`` that is most similar to the template.

    ``size`` is the size of the face relative to the template, ``reach`` the search distance in face sizes. Uses
    normalized cross-correlation (J. P. Lewis, "Fast Normalized Cross-Correlation", 1995); the peak is refined by a
    parabola through its neighbors.
    """
    height, width = gray.shape
    face_w, face_h = round(size * template.box.width), round(size * template.box.height)
    reach_x, reach_y = round(reach * face_w), round(reach * face_h)
    left, top = max(0, near.x - reach_x), max(0, near.y - reach_y)
    right, bottom = min(width, near.x + face_w + reach_x), min(height, near.y + face_h + reach_y)
    if right - left < face_w // 2 or bottom - top < face_h // 2:
        return Match(near, 0.0)  # the face has left the frame
    scale = _scale(template.box) / size
    around = _reduce(gray, left, top, right, bottom, scale)
    if around.shape[0] < template.pixels.shape[0] or around.shape[1] < template.pixels.shape[1]:
        return Match(near, 0.0)
    scores = cv2.matchTemplate(around, template.pixels, cv2.TM_CCOEFF_NORMED)
    _, similarity, _, (column, row) = cv2.minMaxLoc(scores)
    x = left + round((column + _peak(scores[row, :], column)) / scale)
    y = top + round((row + _peak(scores[:, column], row)) / scale)
    x, y = min(max(0, x), width - 1), min(max(0, y), height - 1)
    box = FaceBox(x, y, min(face_w, width - x), min(face_h, height - y))
    return Match(box, similarity if np.isfinite(similarity) else 0.0)


def correlate_detail(before: GrayImage, box: FaceBox, now: GrayImage, near: FaceBox) -> float | None:
    """Return how well the next frame shows a face's detail, -1…1, or None if unknown.

    ``box`` is the face in the previous frame, ``near`` its box now. The face may have turned or grown a little.
    """
    inside = box.clipped(before.shape[1], before.shape[0])
    margin = round(_REACH * max(box.width, box.height))
    around = FaceBox(near.x, near.y, box.width, box.height).grown(margin).clipped(now.shape[1], now.shape[0])
    if inside is None or around is None:
        return None
    scale = _scale(inside)
    template, image = (_detail(_reduce_box(*each, scale)) for each in ((before, inside), (now, around)))
    if image.shape[0] < template.shape[0] or image.shape[1] < template.shape[1]:
        return None
    best = max(
        float(cv2.matchTemplate(_transform(image, *change), template, cv2.TM_CCOEFF_NORMED).max())
        for change in _CHANGES
    )
    return best if np.isfinite(best) else None


def thin_out(gray: GrayImage, stride: int) -> GrayImage:
    """Keep every ``stride``-th pixel of each row and column.

    OpenCV is faster at this than slicing.
    """
    height, width = gray.shape
    size = (-(-width // stride), -(-height // stride))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _scale(box: FaceBox) -> float:
    return min(1.0, _SIDE / max(box.width, box.height))


def _reduce(gray: GrayImage, left: int, top: int, right: int, bottom: int, scale: float) -> NDArray[np.uint8]:
    """Reduce a part of an image, first by skipping pixels, then by averaging."""
    stride = max(1, int(0.5 / scale))
    part = thin_out(gray[top:bottom, left:right], stride)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)


def _reduce_box(gray: GrayImage, box: FaceBox, scale: float) -> NDArray[np.uint8]:
    return _reduce(gray, box.x, box.y, box.x + box.width, box.y + box.height, scale)


def _detail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = pixels.astype(np.float32)
    return cv2.GaussianBlur(values, (0, 0), _FINE) - cv2.GaussianBlur(values, (0, 0), _COARSE)


def _transform(values: NDArray[np.float32], degrees: float, scale: float) -> NDArray[np.float32]:
    height, width = values.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    return np.asarray(
        cv2.warpAffine(values, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def _peak(scores: Any, index: int) -> float:
    """Return the offset of the parabola's maximum from a sampled maximum.

    The parabola passes through the sample and its neighbors.
    """
    if not 0 < index < len(scores) - 1:
        return 0.0
    before, here, after = (float(value) for value in scores[index - 1 : index + 2])
    curvature = before - 2 * here + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0
