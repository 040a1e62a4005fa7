"""The Python interface: images in, faces and emotions out."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from fer_edge.classification.classifier import Classifier
from fer_edge.detectors.base import Detector
from fer_edge.detectors.registry import create_detector
from fer_edge.detectors.shared import SharedDetector
from fer_edge.errors import UsageError
from fer_edge.models.find_model import find_model
from fer_edge.pipeline import Pipeline
from fer_edge.result_stream import OnError, ResultStream
from fer_edge.runtime.native_stderr import suppress_native_stderr
from fer_edge.runtime.system import thread_count
from fer_edge.sources.base import Source
from fer_edge.sources.image_io import read_image
from fer_edge.sources.registry import source_of
from fer_edge.types import FaceResult, Frame, Image, StreamInfo

__all__ = ["EmotionRecognizer"]

_LOADING: Final = Lock()  # standard error is redirected for the whole process


class EmotionRecognizer:
    """Finds the faces of images and videos and says what they show.

    - ``model`` is a bundled model's name or a ``.tflite`` file; None: the default model.
    - ``detector`` is ``haar``, ``yunet``, ``mediapipe``, or ``none`` where each image is one face already; or a
      :class:`Detector` of your own, which stays open.
    - ``detector_model`` is the model of ``yunet`` or ``mediapipe``; None: the one that ``fer-edge get`` downloaded.
    - ``min_face`` is the smallest face in pixels; None: a share of the image.
    - ``detect_every``: in :meth:`stream`, the frames after which the whole frame is searched; None:
      what changed after 8 frames or 0.3 s, all of it after 90 frames that last 3 s.
    - ``smoothing``: in :meth:`stream`, seconds over which each face's scores are averaged; 0: off.
    - ``flip_average`` averages each face's scores and those of its mirror image, for twice the time.
    - ``threads`` bounds the processor threads; None: all.

    A context manager; not thread-safe: give each thread its own. It can be pickled while it is open, and opens its
    model again where it is unpickled. Raises ModelError, ContractError, DetectorError, UsageError, MissingExtraError.

    >>> from fer_edge import EmotionRecognizer
    >>> with EmotionRecognizer() as recognizer:
    ...     for face in recognizer.analyze("face.jpg"):
    ...         print(face.emotion, face.box.width > 200)
    neutral True
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        detector: str | Detector = "haar",
        detector_model: str | Path | None = None,
        min_face: int | None = None,
        detect_every: int | None = None,
        smoothing: float = 0.0,
        flip_average: bool = False,
        threads: int | None = None,
    ) -> None:
        self._options: Final[dict[str, Any]] = {
            "model": model,
            "detector": detector,
            "detector_model": detector_model,
            "min_face": min_face,
            "detect_every": detect_every,
            "smoothing": smoothing,
            "flip_average": flip_average,
            "threads": threads,
        }
        _check_options(min_face, detect_every, smoothing, threads)
        self._threads = thread_count(threads)
        self._model = find_model(model)
        with _LOADING, suppress_native_stderr():  # LiteRT announces its delegate there
            self._classifier = Classifier(self._model, threads=self._threads, flip_average=flip_average)
        self._create_detector = _detector_factory(detector, detector_model, min_face)
        self._detector = self._create_detector(still_image=True)
        self._closed = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that the model knows, in the order of its scores."""
        return self._model.spec.labels

    def analyze(self, image: Image | str | os.PathLike[str]) -> tuple[FaceResult, ...]:
        """Find the faces of one image, largest first; () where there is none.

        ``image`` is uint8 (height, width, 3) BGR, as OpenCV reads it, or the path of an image file. Ids count from 0
        in each image. Raises ValueError for anything else, SourceError for a file that cannot be read.

        >>> from fer_edge import EmotionRecognizer
        >>> with EmotionRecognizer() as recognizer:
        ...     (face,) = recognizer.analyze("face.jpg")
        >>> face.emotion, round(sum(face.scores.values), 3)
        ('neutral', 1.0)
        """
        self._check_open()
        frame = _load_frame(image)
        faces = []
        for number, detection in enumerate(self._detector.detect(frame)):
            scores = self._classifier.classify(frame, detection)
            faces.append(FaceResult(number, detection, scores, scores.emotion))
        return tuple(faces)

    def analyze_batch(
        self, images: Iterable[Image | str | os.PathLike[str]]
    ) -> Iterator[tuple[FaceResult, ...]]:
        """Yield for each image what :meth:`analyze` returns, in order, in constant memory, on all threads.

        ``images`` are arrays or paths, mixed as you like; they are taken in a thread of their own, a few ahead.
        Raises what :meth:`analyze` raises, after the results before it. To go on past files that cannot be read, use
        :meth:`stream` on their folder.

        >>> from fer_edge import EmotionRecognizer
        >>> with EmotionRecognizer() as recognizer:
        ...     for faces in recognizer.analyze_batch(["face.jpg", "photos/empty.png"]):
        ...         print([face.emotion for face in faces])
        ['neutral']
        []
        """
        if isinstance(images, str | os.PathLike | np.ndarray):
            raise ValueError(f"expected several images, got one {type(images).__name__}; use analyze for it")
        with self.stream(_GivenImages(images)) as results:
            for result in results:
                yield tuple(replace(face, id=number) for number, face in enumerate(result.faces))

    def stream(self, source: str | Path | int | Source, *, on_error: OnError = "raise") -> ResultStream:
        """Iterate over the frames of a source with their faces, in order, in constant memory.

        ``source`` is the path of a video, image or folder of images, an rtsp:// or http:// URL, a camera's index, or
        a :class:`Source` of your own. ``on_error`` says what is done about an image that cannot be read: "raise"
        SourceError, "skip" it with a warning in the log, or call a function with its :class:`SkippedInput`.
        A video or camera that cannot be opened or read always raises SourceError. Raises ValueError for what is not a
        source.

        >>> from fer_edge import EmotionRecognizer
        >>> with EmotionRecognizer(smoothing=0.5) as recognizer:
        ...     with recognizer.stream("clip.mp4") as results:
        ...         for result in results:
        ...             print(result.frame.index, result.frame.time_s, [face.emotion for face in result.faces])
        0 0.0 ['neutral']
        1 0.1 ['neutral']
        2 0.2 ['neutral']
        """
        self._check_open()
        opened = source_of(source) if isinstance(source, str | Path | int) else source
        if not hasattr(opened, "info"):
            raise ValueError(
                f"expected a path, a URL, a camera's index or a source, got {type(source).__name__}; "
                "an image in memory goes to analyze"
            )
        return ResultStream(opened, self._open_pipeline, on_error)

    @contextmanager
    def _open_pipeline(self, source: Source) -> Iterator[Pipeline]:
        """Make the pipeline of an open source, with a detector of its own."""
        self._check_open()
        detector = self._create_detector(still_image=source.info.still)
        try:
            with Pipeline(
                source,
                detector,
                self._model,
                detect_every=self._options["detect_every"],
                smoothing=self._options["smoothing"],
                flip_average=self._options["flip_average"],
                threads=self._threads,
            ) as pipeline:
                yield pipeline
        finally:
            detector.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("this recognizer is closed; make another")

    def close(self) -> None:
        """Free the model and the detector; the recognizer cannot be used afterwards."""
        self._closed = True
        self._classifier.close()
        self._detector.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Be made again from the same options where it is unpickled, such as in another process."""
        self._check_open()
        return partial(type(self), **self._options), ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _GivenImages:
    """The images that a caller has, as a source."""

    def __init__(self, images: Iterable[Image | str | os.PathLike[str]]) -> None:
        self._images = images
        self.info = StreamInfo(name="images", still=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def __iter__(self) -> Iterator[Frame]:
        return map(_load_frame, self._images)


def _detector_factory(
    detector: str | Detector, model: str | Path | None, min_face: int | None
) -> Callable[..., Detector]:
    """Return what makes the detector of a run, given ``still_image``."""
    if isinstance(detector, str):
        return partial(create_detector, detector, min_face=min_face, model=model)
    if model is not None or min_face is not None:
        raise UsageError("a detector of your own takes neither detector_model nor min_face; give them to it")
    if not callable(getattr(detector, "detect", None)):
        raise UsageError(f"expected a detector's name or a Detector, got {type(detector).__name__}")
    shared = SharedDetector(detector)
    return lambda *, still_image: shared


def _check_options(
    min_face: int | None, detect_every: int | None, smoothing: float, threads: int | None
) -> None:
    """Raise UsageError at what the command line refuses."""
    for name, value, least in (
        ("min_face", min_face, 12),
        ("detect_every", detect_every, 1),
        ("threads", threads, 1),
    ):
        if value is not None and value < least:
            raise UsageError(f"expected {name} of at least {least}, got {value}")
    if not (math.isfinite(smoothing) and smoothing >= 0):
        raise UsageError(f"expected smoothing in seconds, 0 for none, got {smoothing}")


def _load_frame(image: object) -> Frame:
    """Make a frame of an image or of an image file's path; raises ValueError, SourceError."""
    if isinstance(image, str | os.PathLike):
        return Frame(read_image(os.fspath(image)), os.fspath(image))
    expected = "expected a path or a uint8 image of shape (height, width, 3) in BGR order"
    if not isinstance(image, np.ndarray):
        # cv2.imread gives None for a file that it cannot read.
        hint = "; was the file read?" if image is None else ""
        raise ValueError(f"{expected}, got {type(image).__name__}{hint}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"{expected}, got {image.dtype} {image.shape}")
    return Frame(image)
