"""The loop from source to results: order, threads, errors, its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice, pairwise
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.detectors.registry import Detector, create_detector
from fer_edge.errors import DetectorError, SourceLostError
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.pipeline import FaceClassifiers, Pipeline
from fer_edge.runtime.latency import STAGES
from fer_edge.tracking.template import Changes
from fer_edge.tracking.tracker import TrackedFace
from fer_edge.types import FaceBox, Frame, FrameResult, Unreadable

THREADS = pytest.mark.parametrize("threads", [1, 2, 4])
AHEAD = pytest.mark.parametrize("ahead", [True, False])
BOXES = (FaceBox(0, 0, 60, 60), FaceBox(70, 10, 50, 50), FaceBox(130, 40, 40, 44))


@pytest.fixture(scope="module")
def model() -> ModelFile:
    return find_model()


class Items:
    """A source of what it is given."""

    name = "items"
    frame_rate: float | None = 25.0
    frame_count: int | None = None

    def __init__(self, items: Iterable[Frame | Unreadable], *, live: bool = False) -> None:
        self.live = live
        self.ended = False
        self._items = items

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __iter__(self) -> Iterator[Frame | Unreadable]:
        try:
            yield from self._items
        finally:
            self.ended = True


class FixedDetector:
    """Three faces that never move; fails from the frame on whose first pixel is ``fails_at``."""

    name = "fixed"
    cheap = False

    def __init__(self, fails_at: int | None = None) -> None:
        self._fails_at = fails_at

    def detect(self, image: NDArray[np.uint8], changes: Changes | None = None) -> tuple[FaceBox, ...]:
        if image[0, 0, 0] == self._fails_at:
            raise DetectorError("the detector failed")
        return BOXES

    def follow(self, image: NDArray[np.uint8], box: FaceBox) -> FaceBox | None:
        return box

    def close(self) -> None:
        pass


def frame(index: int) -> Frame:
    """A frame of noise of its own, numbered in its first pixel."""
    image = np.random.default_rng(index).integers(0, 256, (100, 180, 3), np.uint8)
    image[0, 0, 0] = index
    return Frame(image, "items", index, index / 25)


def frames(count: int, *, then: BaseException | None = None) -> Iterator[Frame]:
    for index in range(count):
        yield frame(index)
    if then is not None:
        raise then


def endless() -> Iterator[Frame]:
    while True:
        yield from frames(100)


def indices(results: Iterable[FrameResult | Unreadable]) -> list[int]:
    return [result.frame.index for result in results if isinstance(result, FrameResult)]


@pytest.fixture
def threads_before() -> set[threading.Thread]:
    return set(threading.enumerate())


@AHEAD
@THREADS
@pytest.mark.parametrize("count", [0, 1, 40])
def test_every_frame_comes_in_order_with_its_faces(
    threads: int, count: int, ahead: bool, model: ModelFile
) -> None:
    with Pipeline(Items(frames(count)), FixedDetector(), model, threads=threads, ahead=ahead) as pipeline:
        results = [result for result in pipeline if isinstance(result, FrameResult)]
    assert indices(results) == list(range(count))
    assert all(len(result.faces) == 3 for result in results)
    assert pipeline.frames_dropped == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_the_number_of_threads_changes_no_result(smoothing: float, model: ModelFile) -> None:
    records = []
    for threads, ahead in ((1, True), (2, True), (3, True), (4, True), (7, True), (2, False), (4, False)):
        source = Items(frames(20))
        with Pipeline(
            source, FixedDetector(), model, smoothing=smoothing, threads=threads, ahead=ahead
        ) as pipeline:
            records.append([result.as_record() for result in pipeline if isinstance(result, FrameResult)])
    assert all(record == records[0] for record in records)


def test_each_face_has_the_scores_of_its_own_picture(model: ModelFile) -> None:
    with (
        Pipeline(Items(frames(3)), FixedDetector(), model, threads=4) as pipeline,
        Classifier(model) as classifier,
    ):
        for result in pipeline:
            assert isinstance(result, FrameResult)
            for face in result.faces:
                assert face.scores == classifier.classify(result.frame.image, face.box)


def test_drawn_labels_do_not_flicker_where_emotions_do(model: ModelFile, portrait: NDArray[np.uint8]) -> None:
    whole = FaceBox(0, 0, 48, 48, is_crop=True)
    head = cv2.resize(portrait[40:400, 90:450], (48, 48), interpolation=cv2.INTER_AREA)
    pictures = {}
    with Classifier(model) as classifier:
        for way in (head, head[::-1], 255 - head, head.transpose(1, 0, 2), cv2.blur(head, (9, 9)), 0 * head):
            image = np.ascontiguousarray(way, np.uint8)
            pictures[classifier.classify(image, whole).emotion] = image
    images = list(pictures.values())[:2]
    flickering = [Frame(images[index % 2], "items", index, index / 25) for index in range(50)]
    with Pipeline(Items(flickering), create_detector("none"), model) as pipeline:
        faces = [result.faces[0] for result in pipeline if isinstance(result, FrameResult)]
    assert sum(before.emotion != now.emotion for before, now in pairwise(faces)) == 49
    assert sum(before.label != now.label for before, now in pairwise(faces)) <= 2


@THREADS
def test_smoothing_steadies_scores_and_leaves_boxes(threads: int, model: ModelFile) -> None:
    def run(smoothing: float) -> list[FrameResult]:
        source = Items(frames(30))
        with Pipeline(source, FixedDetector(), model, smoothing=smoothing, threads=threads) as pipeline:
            return [result for result in pipeline if isinstance(result, FrameResult)]

    plain, smooth = run(0.0), run(1.0)
    assert plain[0].faces == smooth[0].faces
    spread = [
        np.std([result.faces[0].scores.values for result in results], axis=0) for results in (plain, smooth)
    ]
    assert spread[1].sum() < spread[0].sum() / 2
    assert [face.box for r in plain for face in r.faces] == [face.box for r in smooth for face in r.faces]


def test_pictures_are_not_smoothed(model: ModelFile) -> None:
    pictures = [Frame(frame(index).image, f"{index}.png") for index in range(4)]
    plain, smooth = (
        [
            [face.scores for face in result.faces]
            for result in Pipeline(Items(pictures), FixedDetector(), model, smoothing=smoothing)
            if isinstance(result, FrameResult)
        ]
        for smoothing in (0.0, 2.0)
    )
    assert plain == smooth


@THREADS
def test_what_could_not_be_read_keeps_its_place(threads: int, model: ModelFile) -> None:
    items: list[Frame | Unreadable] = [frame(0), Unreadable("b.jpg", "broken"), frame(2)]
    with Pipeline(Items(items), FixedDetector(), model, threads=threads) as pipeline:
        results = list(pipeline)
    assert results[1] == items[1]
    assert indices(results) == [0, 2]


def failing_source(threads: int, model: ModelFile, ahead: bool) -> Pipeline:
    error = SourceLostError("the source broke off")
    return Pipeline(Items(frames(5, then=error)), FixedDetector(), model, threads=threads, ahead=ahead)


def failing_detector(threads: int, model: ModelFile, ahead: bool) -> Pipeline:
    detector = FixedDetector(fails_at=5)
    return Pipeline(Items(endless()), detector, model, detect_every=1, threads=threads, ahead=ahead)


@AHEAD
@THREADS
@pytest.mark.parametrize(
    ("build", "error"), [(failing_source, SourceLostError), (failing_detector, DetectorError)]
)
def test_an_error_comes_after_the_results_before_it(
    build: Callable[[int, ModelFile, bool], Pipeline],
    error: type[Exception],
    threads: int,
    ahead: bool,
    model: ModelFile,
    threads_before: set[threading.Thread],
) -> None:
    with build(threads, model, ahead) as pipeline:
        results = iter(pipeline)
        assert indices(islice(results, 5)) == [0, 1, 2, 3, 4]
        with pytest.raises(error):
            next(results)
    assert set(threading.enumerate()) <= threads_before


@AHEAD
@THREADS
def test_leaving_early_ends_all_threads_and_the_source(
    threads: int, ahead: bool, model: ModelFile, threads_before: set[threading.Thread]
) -> None:
    source = Items(endless())
    with Pipeline(source, FixedDetector(), model, threads=threads, ahead=ahead) as pipeline:
        results = iter(pipeline)
        next(results)
        if threads == 1:
            del results  # nothing runs ahead: whoever holds the iterator holds the source
    assert set(threading.enumerate()) <= threads_before
    assert source.ended


@THREADS
def test_an_error_of_the_caller_s_ends_all_threads(
    threads: int, model: ModelFile, threads_before: set[threading.Thread]
) -> None:
    pipeline = Pipeline(Items(endless()), FixedDetector(), model, threads=threads)
    with suppress(KeyboardInterrupt), pipeline:
        for _ in pipeline:
            raise KeyboardInterrupt
    assert set(threading.enumerate()) <= threads_before


def test_a_pipeline_that_is_never_iterated_starts_no_reading(model: ModelFile) -> None:
    def unread() -> Iterator[Frame]:
        raise AssertionError("nobody asked for a frame")
        yield

    with Pipeline(Items(unread()), FixedDetector(), model, threads=4):
        pass


@pytest.mark.parametrize(("in_flight", "most"), [(None, 19), (1, 2)])
def test_only_a_few_frames_are_read_ahead_and_fewer_large_ones(
    in_flight: int | None, most: int, model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    if in_flight is not None:
        monkeypatch.setattr("fer_edge.pipeline._IN_FLIGHT", in_flight)
    read: list[int] = []

    def counted() -> Iterator[Frame]:
        for index in range(200):
            read.append(index)
            yield frame(index)

    with Pipeline(Items(counted()), FixedDetector(), model, threads=4) as pipeline:
        next(iter(pipeline))
        before = -1
        while before != len(read):
            before = len(read)
            time.sleep(0.2)
    assert len(read) <= most


@AHEAD
@THREADS
def test_frames_larger_than_what_may_be_in_flight_all_arrive(
    threads: int, ahead: bool, model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_edge.pipeline._IN_FLIGHT", 1)
    items: list[Frame | Unreadable] = [*frames(5), Unreadable("gone.png", "it is gone"), *frames(5)]
    with Pipeline(Items(items), FixedDetector(), model, threads=threads, ahead=ahead) as pipeline:
        assert indices(pipeline) == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


@THREADS
def test_of_a_live_source_the_newest_frames_win_and_the_others_are_counted(
    threads: int, model: ModelFile
) -> None:
    taken_first = threading.Event()

    def camera() -> Iterator[Frame]:
        yield frame(0)
        taken_first.wait(10)
        yield from frames(200)

    with Pipeline(Items(camera(), live=True), FixedDetector(), model, threads=threads) as pipeline:
        results = iter(pipeline)
        first = next(results)
        taken_first.set()
        while pipeline.frames_dropped < 150:
            time.sleep(0.01)
        rest = list(results)
    assert isinstance(first, FrameResult)
    assert indices(rest)[-1] == 199
    assert indices(rest) == sorted(set(indices(rest)))
    assert 1 + len(rest) + pipeline.frames_dropped == 201


@THREADS
def test_the_stages_that_ran_have_times(threads: int, model: ModelFile) -> None:
    with Pipeline(Items(frames(5)), FixedDetector(), model, threads=threads) as pipeline:
        list(pipeline)
    times = pipeline.times.as_dict()
    assert tuple(times) == STAGES
    assert [stage for stage in STAGES if times[stage]["p50_ms"] is not None] == [
        "capture",
        "detect",
        "classify",
    ]


def test_detect_every_frame_asks_the_detector_each_time(model: ModelFile) -> None:
    asked: list[int] = []

    class Counting(FixedDetector):
        def detect(self, image: NDArray[np.uint8], changes: Changes | None = None) -> tuple[FaceBox, ...]:
            asked.append(int(image[0, 0, 0]))
            return BOXES

    still = [Frame(frame(0).image, "items", index, index / 25) for index in range(16)]
    for every, times in [(1, 16), (4, 4)]:
        asked.clear()
        with Pipeline(Items(still), Counting(), model, detect_every=every) as pipeline:
            list(pipeline)
        assert len(asked) == times


@THREADS
def test_whole_pictures_are_classified_as_they_are(threads: int, model: ModelFile) -> None:
    detector: Detector = create_detector("none")
    with Pipeline(Items(frames(3)), detector, model, threads=threads) as pipeline:
        boxes = [face.box for result in pipeline if isinstance(result, FrameResult) for face in result.faces]
    assert boxes == [FaceBox(0, 0, 180, 100, is_crop=True)] * 3


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_faces_are_shared_among_classifiers_in_their_order(threads: int, model: ModelFile) -> None:
    faces = tuple(TrackedFace(number, FaceBox(10 * number, 5, 48, 48)) for number in range(11))
    classifiers = FaceClassifiers(model, threads)
    with Classifier(model) as single:
        expected = [single.classify(frame(3).image, face.box) for face in faces]
    assert classifiers.classify(frame(3), faces) == expected
    assert classifiers.classify(frame(3), ()) == []
    classifiers.close()
