"""The Python interface: pictures in, faces and emotions out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from fer_edge.classification.classifier import Classifier
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import SourceError, UsageError
from fer_edge.models.find_model import find_model
from fer_edge.pipeline import Pipeline
from fer_edge.runtime.system import thread_count
from fer_edge.sources.base import Source
from fer_edge.sources.registry import source_of
from fer_edge.types import FaceResult, Frame, FrameResult, Image, SkippedInput

__all__ = ["EmotionRecognizer"]


class EmotionRecognizer:
    """Finds the faces of pictures and videos and says what they show.

    ``model`` is a bundled model's name or a ``.tflite`` file; None: the default model.
    ``detector`` is ``haar``, ``yunet``, ``mediapipe``, or ``none`` where each picture is one face already.
    ``detector_model`` is the model of ``yunet`` or ``mediapipe``; None: the one that ``fer-edge get`` downloaded.
    ``min_face`` is the smallest face in pixels; None: a share of the picture.
    ``detect_every``: in :meth:`stream`, the frames after which the whole frame is searched; None:
    what changed after 8 frames or 0.3 s, all of it after 90 frames that last 3 s.
    ``smoothing``: in :meth:`stream`, seconds over which each face's scores are averaged; 0: off.
    ``flip_average`` averages each face's scores and those of its mirror image, for twice the time.
    ``threads`` bounds the processor threads; None: all.

    A context manager; not thread-safe. Raises ModelError, ContractError, DetectorError, UsageError,
    MissingExtraError.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        detector: str = "haar",
        detector_model: str | Path | None = None,
        min_face: int | None = None,
        detect_every: int | None = None,
        smoothing: float = 0.0,
        flip_average: bool = False,
        threads: int | None = None,
    ) -> None:
        _check_options(min_face, detect_every, smoothing, threads)
        self._threads = thread_count(threads)
        self._model = find_model(model)
        self._classifier = Classifier(self._model, threads=self._threads, flip_average=flip_average)
        self._new_detector = partial(create_detector, detector, min_face=min_face, model=detector_model)
        self._detector = self._new_detector(still_image=True)
        self._detect_every, self._smoothing = detect_every, smoothing
        self._flip_average = flip_average
        self._closed = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that the model knows, in the order of its scores."""
        return self._model.spec.labels

    def analyze(self, image: Image) -> tuple[FaceResult, ...]:
        """The faces of a uint8 (height, width, 3) BGR picture, largest first; () where there is none.

        Ids count from 0 in each picture. Raises ValueError for anything but such an array.
        """
        _check_picture(image)
        self._check_open()
        frame = Frame(image)
        faces = []
        for number, detection in enumerate(self._detector.detect(frame)):
            scores = self._classifier.classify(frame, detection)
            faces.append(FaceResult(number, detection, scores, scores.emotion))
        return tuple(faces)

    def stream(self, source: str | Path | int | Source) -> Iterator[FrameResult]:
        """Every frame of a video, camera, picture or folder with its faces, in order, in constant memory.

        ``source`` is a path, an rtsp:// or http:// URL, a camera's index, or a source of one's own.
        Raises SourceError also for a picture that cannot be read, ValueError for what is no source.
        """
        self._check_open()
        opened = source_of(source) if isinstance(source, str | Path | int) else source
        if not hasattr(opened, "info"):
            raise ValueError(
                f"expected a path, a URL, a camera's index or a source, got {type(source).__name__}; "
                "a picture in memory goes to analyze"
            )
        with opened:
            detector = self._new_detector(still_image=opened.info.still)
            try:
                with Pipeline(
                    opened,
                    detector,
                    self._model,
                    detect_every=self._detect_every,
                    smoothing=self._smoothing,
                    flip_average=self._flip_average,
                    threads=self._threads,
                ) as results:
                    for result in results:
                        if isinstance(result, SkippedInput):
                            raise SourceError(result.error)
                        if isinstance(result, FrameResult):
                            yield result
            finally:
                detector.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("expected an open recognizer, this one is closed; make another")

    def close(self) -> None:
        """Free the model and the detector; the recognizer cannot be used afterwards."""
        self._closed = True
        self._classifier.close()
        self._detector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_options(
    min_face: int | None, detect_every: int | None, smoothing: float, threads: int | None
) -> None:
    """Raise UsageError at what the command line refuses, too."""
    for name, value, least in (
        ("min_face", min_face, 12),
        ("detect_every", detect_every, 1),
        ("threads", threads, 1),
    ):
        if value is not None and value < least:
            raise UsageError(f"expected {name} of at least {least}, got {value}")
    if not (math.isfinite(smoothing) and smoothing >= 0):
        raise UsageError(f"expected smoothing in seconds, 0 for none, got {smoothing}")


def _check_picture(image: object) -> None:
    expected = "expected a uint8 picture of shape (height, width, 3) in BGR order"
    if not isinstance(image, np.ndarray):
        # cv2.imread gives None for a file that it cannot read.
        hint = "; was the file read?" if image is None else ""
        raise ValueError(f"{expected}, got {type(image).__name__}{hint}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"{expected}, got {image.dtype} {image.shape}")
