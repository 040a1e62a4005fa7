"""``EmotionRecognizer``: the Python interface for images and videos."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from fer_edge.detectors.checked import CheckedDetector
from fer_edge.detectors.registry import create_detector
from fer_edge.detectors.shared import SharedDetector
from fer_edge.errors import UsageError
from fer_edge.models.find_model import find_model
from fer_edge.pipeline import Pipeline
from fer_edge.result_stream import OnError, ResultStream
from fer_edge.runtime.native_stderr import suppress_native_stderr
from fer_edge.runtime.system import choose_thread_count
from fer_edge.session import Session
from fer_edge.sinks.base import Sink, SinkRequest
from fer_edge.sinks.registry import create_sink
from fer_edge.sources.base import Source
from fer_edge.sources.image_io import read_image
from fer_edge.sources.images import ImageSource
from fer_edge.sources.registry import create_source_for
from fer_edge.statistics import RunStatistics
from fer_edge.types import FaceResult, Frame, Image, StreamInfo

__all__ = ["EmotionRecognizer"]

_LOADING: Final = Lock()  # standard error is redirected for the whole process


class EmotionRecognizer:
    """Detects faces in images and videos and classifies their emotions.

    - ``model``: the name of a bundled model or the path of a ``.tflite`` file. Default: the bundled default model.
    - ``detector``: ``haar``, ``yunet``, ``mediapipe``, or ``none`` if each image is already a single face; or a
      custom :class:`Detector`, which is not closed with the recognizer.
    - ``detector_model``: the model file of ``yunet`` or ``mediapipe``. Default: the file that ``fer-edge get``
      downloaded.
    - ``min_face``: the width of the smallest face to find, in pixels. Default: relative to the size of the image.
    - ``detect_every``: in :meth:`stream`, the number of frames between searches of the whole frame. Default: search
      the regions that changed every 8 frames or 0.3 s, whichever is shorter, and the whole frame every 90 frames or
      3 s, whichever is longer.
    - ``smoothing``: in :meth:`stream`, the number of seconds over which the scores of each face are averaged; 0
      turns smoothing off.
    - ``flip_average``: average the scores of each face with those of its mirror image. Classification then takes
      twice as long.
    - ``threads``: the maximum number of CPU threads. Default: all.

    A context manager. Not thread-safe: use one recognizer per thread. An open recognizer can be pickled; unpickling
    opens its model again. Raises ModelError, ContractError, DetectorError, UsageError, MissingExtraError.

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
        self._threads = choose_thread_count(threads)
        self._model = find_model(model)
        with _LOADING, suppress_native_stderr():  # LiteRT prints the name of its delegate
            self._classifier = Classifier(self._model, threads=self._threads, flip_average=flip_average)
        self._create_detector = _detector_factory(detector, detector_model, min_face)
        self._detector = self._create_detector(still_image=True)
        self._closed = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotion labels of the model, in the order of its scores."""
        return self._model.spec.labels

    def analyze(self, image: Image | str | os.PathLike[str]) -> tuple[FaceResult, ...]:
        """Return the faces in one image, largest first; () if there are none.

        ``image`` is uint8 (height, width, 3) BGR, as OpenCV reads it, or the path of an image file. Ids count from 0
        in each image. Raises SourceError if the file cannot be read, ValueError for any other kind of argument.

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
        """Yield the result of :meth:`analyze` for each image, using all threads.

        Results keep the order of the images, and memory use does not grow with their number. ``images`` may mix
        arrays and paths; a separate thread reads them a few images ahead. Raises the errors of :meth:`analyze` after
        yielding the results of the preceding images. To skip unreadable files instead, use :meth:`stream` on their
        folder.

        >>> from fer_edge import EmotionRecognizer
        >>> with EmotionRecognizer() as recognizer:
        ...     for faces in recognizer.analyze_batch(["face.jpg", "photos/empty.png"]):
        ...         print([face.emotion for face in faces])
        ['neutral']
        []
        """
        if isinstance(images, str | os.PathLike | np.ndarray):
            raise ValueError(
                f"expected an iterable of images, got a single {type(images).__name__}; use analyze for one image"
            )
        with self.stream(_ImageIterableSource(images)) as results:
            for result in results:
                yield tuple(replace(face, id=number) for number, face in enumerate(result.faces))

    def stream(self, source: str | Path | int | Source, *, on_error: OnError = "raise") -> ResultStream:
        """Iterate over the frames of a source and the faces in them, in order.

        Memory use does not grow with the length of the source. ``source`` is the path of a video, an image or a
        folder of images, an rtsp:// or http:// URL, the index of a camera, or a custom :class:`Source`. ``on_error``
        controls what happens if an image cannot be read: "raise" raises SourceError, "skip" skips the image and logs
        a warning, and a function is called with the image's :class:`SkippedInput`. A video or camera that cannot be
        opened or read always raises SourceError. Raises ValueError for any other kind of ``source``.

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
        return ResultStream(_create_source(source), self._open_pipeline, on_error)

    def run(
        self,
        source: str | Path | int | Source,
        sinks: Sequence[str | os.PathLike[str] | Sink],
        *,
        overwrite: bool = False,
    ) -> RunStatistics:
        """Write the results of a source to sinks until it ends, as the command line does.

        ``source`` is that of :meth:`stream`. Each of ``sinks`` is a path or a custom :class:`Sink`: a ``.jsonl`` or
        ``.csv`` file receives rows; any other file is the annotated video or image, or a folder of annotated images.
        Existing files are replaced only with ``overwrite``. An image of a folder that cannot be read is counted and
        skipped. Raises OutputError if a result cannot be written, and the errors of :meth:`stream`. The results
        before an error are kept.

        >>> from fer_edge import EmotionRecognizer
        >>> with EmotionRecognizer() as recognizer:
        ...     statistics = recognizer.run("clip.mp4", ["results.jsonl", "annotated.mp4"])
        >>> statistics.frames, statistics.faces
        (3, 3)
        """
        self._check_open()
        opened = _create_source(source)
        inputs = _list_inputs(source, opened)
        targets = [
            create_sink(
                SinkRequest(
                    target=os.fspath(sink),
                    stream=opened.info,
                    labels=self.labels,
                    inputs=inputs,
                    root=Path(source) if isinstance(source, str | Path) and Path(source).is_dir() else None,
                    overwrite=overwrite,
                )
            )
            if isinstance(sink, str | os.PathLike)
            else sink
            for sink in _check_sinks(sinks, inputs)
        ]
        with opened, self._open_pipeline(opened) as pipeline:
            return Session(pipeline, targets).run()

    @contextmanager
    def _open_pipeline(self, source: Source) -> Iterator[Pipeline]:
        """Create the pipeline of an open source, with its own detector."""
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
            raise ValueError("this recognizer is closed; create a new one")

    def close(self) -> None:
        """Release the model and the detector; the recognizer cannot be used afterwards."""
        self._closed = True
        self._classifier.close()
        self._detector.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling: unpickling creates a recognizer with the same options."""
        self._check_open()
        return partial(type(self), **self._options), ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _ImageIterableSource:
    """A source of images and image paths that the caller provides."""

    def __init__(self, images: Iterable[Image | str | os.PathLike[str]]) -> None:
        self._images = images
        self.info = StreamInfo(name="images", still=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: no resource is open."""

    def __iter__(self) -> Iterator[Frame]:
        return map(_load_frame, self._images)


def _create_source(source: str | Path | int | Source) -> Source:
    """Return the source for a path, URL or camera index, or the source itself; raises ValueError for anything else."""
    opened = create_source_for(source) if isinstance(source, str | Path | int) else source
    if not hasattr(opened, "info"):
        raise ValueError(
            f"expected a path, a URL, a camera's index or a source, got {type(source).__name__}; "
            "use analyze for an image in memory"
        )
    return opened


def _list_inputs(source: str | Path | int | Source, opened: Source) -> tuple[str, ...]:
    """Return the paths that a source reads, which must not be overwritten."""
    if isinstance(opened, ImageSource):
        return opened.paths
    return (os.fspath(source),) if isinstance(source, str | Path) else ()


def _check_sinks(
    sinks: Sequence[str | os.PathLike[str] | Sink], inputs: Sequence[str]
) -> Sequence[str | os.PathLike[str] | Sink]:
    """Raise ValueError for what is not a list of sinks, UsageError for a path that is named twice or is an input."""
    if isinstance(sinks, str | os.PathLike):
        raise ValueError(f"expected a list of sinks, got a single {type(sinks).__name__}")
    taken = {os.path.realpath(path) for path in inputs}
    for sink in sinks:
        if not isinstance(sink, str | os.PathLike):
            continue
        path = os.path.realpath(sink)
        if path in taken:
            raise UsageError(f"{os.fspath(sink)}: is an input or another output; choose another output")
        taken.add(path)
    return sinks


def _detector_factory(
    detector: str | Detector, model: str | Path | None, min_face: int | None
) -> Callable[..., Detector]:
    """Return a function of ``still_image`` that creates the detector of a run."""
    if isinstance(detector, str):
        return partial(create_detector, detector, min_face=min_face, model=model)
    if model is not None or min_face is not None:
        raise UsageError(
            "detector_model and min_face do not apply to a detector object; configure the detector itself"
        )
    if not callable(getattr(detector, "detect", None)):
        raise UsageError(f"expected a detector's name or a Detector, got {type(detector).__name__}")
    for name in ("name", "traits", "smallest_face", "close"):
        if not hasattr(detector, name):
            raise UsageError(
                f"{type(detector).__name__} is not a Detector: it has no {name!r}; see fer_edge.Detector"
            )
    shared = SharedDetector(CheckedDetector(detector))
    return lambda *, still_image: shared


def _check_options(min_face: object, detect_every: object, smoothing: object, threads: object) -> None:
    """Raise UsageError for values that the command line also rejects."""
    for name, value, least in (
        ("min_face", min_face, 12),
        ("detect_every", detect_every, 1),
        ("threads", threads, 1),
    ):
        if value is not None and not (isinstance(value, int | np.integer) and value >= least):
            raise UsageError(f"{name} must be a whole number of at least {least}, got {value!r}")
    if not (isinstance(smoothing, int | float | np.number) and math.isfinite(smoothing) and smoothing >= 0):
        raise UsageError(f"smoothing must be a number of seconds ≥ 0, got {smoothing!r}")


def _load_frame(image: object) -> Frame:
    """Convert an image or the path of an image file to a frame.

    Raises ValueError if the argument is neither, SourceError if the file cannot be read.
    """
    if isinstance(image, str | os.PathLike):
        return Frame(read_image(os.fspath(image)), os.fspath(image))
    expected = "expected a path or a uint8 image of shape (height, width, 3) in BGR order"
    if not isinstance(image, np.ndarray):
        # cv2.imread returns None if it cannot read a file.
        hint = " (cv2.imread returns None if it cannot read a file)" if image is None else ""
        raise ValueError(f"{expected}, got {type(image).__name__}{hint}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"{expected}, got {image.dtype} {image.shape}")
    return Frame(image)
