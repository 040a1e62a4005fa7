"""YuNet's network, read from its file and kept ready for recently searched sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.detectors.base import MAX_BOX
from fer_edge.errors import DetectorError, reason_of
from fer_edge.models.detector_files import identify_content

__all__ = ["YuNetNetwork", "read_network"]

_STRIDES: Final = (8, 16, 32)
_OUTPUTS: Final = frozenset(
    f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES
)
_REMEDY: Final = "run: fer-edge get yunet"

_CANDIDATE_SCORE: Final = 0.4  # the lowest score that any search accepts
_MAX_OVERLAP: Final = 0.3  # maximum intersection over union of two faces
_MAX_CANDIDATES: Final = 5000

# OpenCV's network reads uninitialized memory if an image is at most 32 pixels high or wide.
_MIN_SIDE: Final = 64  # pixels

_KEPT: Final = 8  # sizes for which the network is kept ready
_MAX_KEPT: Final = 3_000_000  # total pixels of these sizes


class YuNetNetwork:
    """The network from a model file.

    Networks for the last few searched sizes are kept, so that searching these sizes again is faster. ``content`` are
    the file's bytes, ``name`` is the file name for messages.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._content, self._name = np.frombuffer(content, np.uint8), name
        self._ready: dict[tuple[int, int], Any] = {}

    def detect(self, pixels: NDArray[np.uint8], room: tuple[int, int] = (0, 0)) -> NDArray[np.float32]:
        """Return the faces in a uint8 (height, width, 3) BGR image as float32 (faces, 15).

        The image is padded on the right and at the bottom to at least ``room`` (width, height). A row contains the
        box's left, top, width and height, x and y of the five key points, and the score, all but the last in
        pixels. Raises DetectorError if OpenCV fails or the network returns invalid values.
        """
        height, width = pixels.shape[:2]
        beside, below = max(0, max(_MIN_SIDE, room[0]) - width), max(0, max(_MIN_SIDE, room[1]) - height)
        size = (width + beside, height + below)
        try:
            with _quiet_opencv():
                if below or beside:
                    padded = cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_CONSTANT)
                    pixels = np.asarray(padded, np.uint8)
                _, faces = self._prepare(size).detect(pixels)
        except cv2.error as error:
            raise DetectorError(
                f"YuNet failed on an image of {size[0]}×{size[1]} pixels: {_reason(error)}; {_REMEDY}"
            ) from error
        if faces is None:
            return np.empty((0, 15), np.float32)
        found = np.asarray(faces, np.float32)
        if not np.isfinite(found).all() or np.abs(found[:, :4]).max() > MAX_BOX * max(size):
            raise DetectorError(f"{self._name}: the model is damaged: its boxes are invalid; {_REMEDY}")
        return found

    def _prepare(self, size: tuple[int, int]) -> Any:
        """Return OpenCV's detector for a size, evicting the least recently used one."""
        detector = self._ready.pop(size, None)
        if detector is None:
            while self._ready and (
                len(self._ready) >= _KEPT
                or sum(width * height for width, height in (*self._ready, size)) > _MAX_KEPT
            ):
                self._ready.pop(next(iter(self._ready)))
            detector = cv2.FaceDetectorYN.create(
                "onnx",
                self._content,
                np.empty(0, np.uint8),
                size,
                _CANDIDATE_SCORE,
                _MAX_OVERLAP,
                _MAX_CANDIDATES,
            )
        self._ready[size] = detector
        return detector


def read_network(path: Path) -> YuNetNetwork:
    """Read a YuNet model from its ONNX file.

    Raises DetectorError for any other file, saying what it is and what to do.
    """
    if not hasattr(cv2, "FaceDetectorYN"):
        raise DetectorError(
            f"OpenCV {cv2.__version__} has no FaceDetectorYN; install opencv-python-headless 4.9 or newer"
        )
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DetectorError(f"{path}: cannot read the face detector's model: {reason}; {_REMEDY}") from error
    if (other := identify_content(content)) is not None:
        raise DetectorError(f"{path}: expected a YuNet model, got {other}; {_REMEDY}")
    _check_network(content, path)
    network = YuNetNetwork(content, str(path))
    network.detect(np.zeros((64, 64, 3), np.uint8))
    return network


def _check_network(content: bytes, path: Path) -> None:
    """Raise DetectorError unless the model is a working YuNet.

    Damaged weights are also detected, because their results would look like "no face".
    """
    try:
        with _quiet_opencv():
            net = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
            outputs = net.getUnconnectedOutLayersNames()
            is_yunet = frozenset(outputs) == _OUTPUTS
            results = _run_probe(net, outputs) if is_yunet else ()
    except cv2.error as error:
        reason = _reason(error)
        if "Failed to parse onnx" in reason or "has_graph" in reason:
            raise DetectorError(
                f"{path}: the file is damaged, truncated or not an ONNX model; {_REMEDY}"
            ) from error
        raise DetectorError(
            f"{path}: OpenCV {cv2.__version__} cannot run this network ({reason}); "
            f"install a newer OpenCV 4, or {_REMEDY}"
        ) from error
    if not is_yunet:
        named = ", ".join(sorted(outputs)[:4]) or "none"
        raise DetectorError(
            f"{path}: not a YuNet model, or one from before 2023 (its outputs are {named}); {_REMEDY}"
        )
    if not all(np.isfinite(result).all() for result in results):
        raise DetectorError(f"{path}: the model is damaged: its outputs are not finite; {_REMEDY}")


def _run_probe(net: Any, outputs: Sequence[str]) -> Sequence[NDArray[np.float32]]:
    """Run the network on noise, so that every weight contributes to the result."""
    noise = np.random.default_rng(0).integers(0, 256, (_MIN_SIDE, _MIN_SIDE, 3), np.uint8)
    net.setInput(cv2.dnn.blobFromImage(noise))
    results: Sequence[NDArray[np.float32]] = net.forward(outputs)
    return results


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from also printing the errors that it raises."""
    logging = cv2.utils.logging
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)


def _reason(error: cv2.error) -> str:
    """Return OpenCV's (innermost) message without version, source file and line."""
    text = " ".join(str(error).split())
    innermost = text.rpartition("error: (")[2].partition(") ")[2].partition(" in function '")[0]
    return reason_of(innermost or text)
