"""The loop from source to results: order, threads, errors, discontinuities, shutdown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice, pairwise
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.classification.classifier import Classifier
from fer_edge.detectors.base import Detector, DetectorTraits
from fer_edge.detectors.full_frame import EXACT
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import DetectorError, SourceError, SourceLostError
from fer_edge.models.find_model import ModelFile
from fer_edge.pipeline import Pipeline
from fer_edge.runtime.latency import STAGES
from fer_edge.sources.base import SourceItem
from fer_edge.types import Detection, Discontinuity, FaceBox, Frame, FrameResult, Image, SkippedInput
from tests.edge.support import FixedDetector, ItemSource, noise, numbered_frame, numbered_frames, wait_until

THREADS = pytest.mark.parametrize("threads", [1, 2, 4])
AHEAD = pytest.mark.parametrize("ahead", [True, False])


def endless() -> Iterator[Frame]:
    while True:
        yield from numbered_frames(100)


def indices(results: Iterable[FrameResult | SkippedInput]) -> list[int]:
    return [result.frame.index for result in results if isinstance(result, FrameResult)]


def frame_results(pipeline: Pipeline) -> list[FrameResult]:
    """Return all results of a pipeline, from start to end."""
    with pipeline:
        return [result for result in pipeline if isinstance(result, FrameResult)]


def ids(results: Iterable[FrameResult]) -> list[list[int]]:
    return [[face.id for face in result.faces] for result in results]


@pytest.fixture
def threads_before() -> set[threading.Thread]:
    return set(threading.enumerate())


@AHEAD
@THREADS
@pytest.mark.parametrize("count", [0, 1, 40])
def test_every_frame_comes_in_order_with_its_faces(
    threads: int, count: int, ahead: bool, model: ModelFile
) -> None:
    source = ItemSource(numbered_frames(count))
    pipeline = Pipeline(source, FixedDetector(), model, threads=threads, ahead=ahead)
    results = frame_results(pipeline)
    assert indices(results) == list(range(count))
    assert all(len(result.faces) == 3 for result in results)
    assert pipeline.frames_dropped == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_the_number_of_threads_changes_no_result(smoothing: float, model: ModelFile) -> None:
    records = []
    for threads, ahead in ((1, True), (2, True), (3, True), (4, True), (7, True), (2, False), (4, False)):
        source = ItemSource(numbered_frames(20))
        pipeline = Pipeline(source, FixedDetector(), model, smoothing=smoothing, threads=threads, ahead=ahead)
        records.append([result.as_record() for result in frame_results(pipeline)])
    assert all(record == records[0] for record in records)


def test_each_face_has_the_scores_of_its_own_pixels(model: ModelFile) -> None:
    results = frame_results(Pipeline(ItemSource(numbered_frames(3)), FixedDetector(), model, threads=4))
    with Classifier(model) as classifier:
        for result in results:
            for face in result.faces:
                assert face.scores == classifier.classify(result.frame, face.detection)


def test_drawn_labels_do_not_flicker_where_emotions_do(model: ModelFile, portrait: Image) -> None:
    whole = Detection(FaceBox(0, 0, 48, 48), framing=EXACT)
    head = cv2.resize(portrait[40:400, 90:450], (48, 48), interpolation=cv2.INTER_AREA)
    showing = {}
    with Classifier(model) as classifier:
        for way in (head, head[::-1], 255 - head, head.transpose(1, 0, 2), cv2.blur(head, (9, 9)), 0 * head):
            image = np.ascontiguousarray(way, np.uint8)
            showing[classifier.classify(Frame(image), whole).emotion] = image
    images = list(showing.values())[:2]
    flickering = [Frame(images[index % 2], "items", index, index / 25) for index in range(50)]
    results = frame_results(Pipeline(ItemSource(flickering), create_detector("none"), model))
    faces = [result.faces[0] for result in results]
    assert sum(before.emotion != now.emotion for before, now in pairwise(faces)) == 49
    assert sum(before.label != now.label for before, now in pairwise(faces)) <= 2


@THREADS
def test_smoothing_steadies_scores_and_leaves_boxes(threads: int, model: ModelFile) -> None:
    def run(smoothing: float) -> list[FrameResult]:
        source = ItemSource(numbered_frames(30))
        return frame_results(Pipeline(source, FixedDetector(), model, smoothing=smoothing, threads=threads))

    plain, smooth = run(0.0), run(1.0)
    assert plain[0].faces == smooth[0].faces
    spread = [
        np.std([result.faces[0].scores.values for result in results], axis=0) for results in (plain, smooth)
    ]
    assert spread[1].sum() < spread[0].sum() / 2
    assert [face.box for r in plain for face in r.faces] == [face.box for r in smooth for face in r.faces]


def test_still_images_are_not_smoothed(model: ModelFile) -> None:
    images = [Frame(numbered_frame(index).image, f"{index}.png") for index in range(4)]
    plain, smooth = (
        [
            [face.scores for face in result.faces]
            for result in frame_results(
                Pipeline(ItemSource(images, still=True), FixedDetector(), model, smoothing=smoothing)
            )
        ]
        for smoothing in (0.0, 2.0)
    )
    assert plain == smooth


@THREADS
def test_what_could_not_be_read_keeps_its_place(threads: int, model: ModelFile) -> None:
    items: list[SourceItem] = [numbered_frame(0), SkippedInput("b.jpg", "broken"), numbered_frame(2)]
    with Pipeline(ItemSource(items), FixedDetector(), model, threads=threads) as pipeline:
        results = list(pipeline)
    assert results[1] == items[1]
    assert indices(results) == [0, 2]


def failing_source(threads: int, model: ModelFile, ahead: bool) -> Pipeline:
    source = ItemSource(numbered_frames(5, then=SourceLostError("the source broke off")))
    return Pipeline(source, FixedDetector(), model, threads=threads, ahead=ahead)


def failing_detector(threads: int, model: ModelFile, ahead: bool) -> Pipeline:
    detector = FixedDetector(fails_at=5)
    return Pipeline(ItemSource(endless()), detector, model, detect_every=1, threads=threads, ahead=ahead)


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


@pytest.mark.parametrize("wrong", [None, "frame", noise()])
@THREADS
def test_a_source_that_yields_something_else_is_an_error_and_not_its_end(
    wrong: Any, threads: int, model: ModelFile
) -> None:
    source = ItemSource([numbered_frame(0), wrong, numbered_frame(1)])
    with Pipeline(source, FixedDetector(), model, threads=threads) as pipeline:
        results = iter(pipeline)
        next(results)
        with pytest.raises(SourceError, match=f"the source yielded {type(wrong).__name__}; expected a Frame"):
            next(results)


@AHEAD
@THREADS
def test_leaving_early_ends_all_threads_and_the_source(
    threads: int, ahead: bool, model: ModelFile, threads_before: set[threading.Thread]
) -> None:
    source = ItemSource(endless())
    with Pipeline(source, FixedDetector(), model, threads=threads, ahead=ahead) as pipeline:
        results = iter(pipeline)
        next(results)
        if threads == 1:
            del results  # nothing runs ahead: the iterator holds the source
    assert set(threading.enumerate()) <= threads_before
    assert source.ended


@THREADS
def test_an_error_of_the_caller_s_ends_all_threads(
    threads: int, model: ModelFile, threads_before: set[threading.Thread]
) -> None:
    pipeline = Pipeline(ItemSource(endless()), FixedDetector(), model, threads=threads)
    with suppress(KeyboardInterrupt), pipeline:
        for _ in pipeline:
            raise KeyboardInterrupt
    assert set(threading.enumerate()) <= threads_before


def test_a_pipeline_that_is_never_iterated_starts_no_reading(
    model: ModelFile, threads_before: set[threading.Thread]
) -> None:
    def unread() -> Iterator[Frame]:
        raise AssertionError("nobody asked for a frame")
        yield

    with Pipeline(ItemSource(unread()), FixedDetector(), model, threads=4):
        assert set(threading.enumerate()) <= threads_before


class BlindDetector:
    """A detector that finds nothing and reads no pixel."""

    name = "blind"
    traits = DetectorTraits(tracked=False)

    def detect(
        self, frame: Frame, roi: FaceBox | None = None, **sizes: float | None
    ) -> tuple[Detection, ...]:
        return ()

    def smallest_face(self, frame: Frame) -> int:
        return 24

    def close(self) -> None:
        pass


class CountingSource(ItemSource):
    """A source of images whose pixels are not read; records the most images in flight at once."""

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        self.read = self.delivered = self.most = 0
        super().__init__(self._frames(count, size), still=True)

    @property
    def under_way(self) -> int:
        """The number of frames read but not finished, without the newest, which is still queued."""
        return self.read - 1 - self.delivered

    def _frames(self, count: int, size: tuple[int, int]) -> Iterator[Frame]:
        def unwanted() -> Image:
            raise AssertionError("nobody needs this image")

        for number in range(count):
            self.read += 1
            self.most = max(self.most, self.under_way)
            yield Frame(unwanted, f"{number}.png", size=size)


@pytest.mark.parametrize(
    ("size", "least", "most"),
    [
        ((64, 48), 12, 19),  # those queued between the stages and those in progress
        ((4000, 3000), 2, 4),  # 36 MB each, of 128 MiB
        ((9000, 6000), 1, 1),  # larger than the budget: one at a time
    ],
    ids=["small", "large", "huge"],
)
def test_a_few_frames_are_read_ahead_and_fewer_large_ones(
    size: tuple[int, int], least: int, most: int, model: ModelFile
) -> None:
    source = CountingSource(200, size)
    with Pipeline(source, BlindDetector(), model, threads=4) as pipeline:
        for _ in pipeline:
            wait_until(lambda: source.read == 200 or source.under_way >= least)
            source.delivered += 1
    assert source.delivered == 200
    assert least <= source.most <= most


@AHEAD
@THREADS
def test_frames_larger_than_what_may_be_in_flight_all_arrive(
    threads: int, ahead: bool, model: ModelFile
) -> None:
    huge = [Frame(lambda: noise(), f"{number}.png", number, size=(9000, 6000)) for number in range(5)]
    items: list[SourceItem] = [*huge, SkippedInput("gone.png", "it is gone"), *huge]
    source = ItemSource(items, still=True)
    with Pipeline(source, BlindDetector(), model, threads=threads, ahead=ahead) as pipeline:
        assert indices(pipeline) == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


@THREADS
def test_the_stages_that_ran_have_times(threads: int, model: ModelFile) -> None:
    pipeline = Pipeline(ItemSource(numbered_frames(5)), FixedDetector(), model, threads=threads)
    frame_results(pipeline)
    times = pipeline.latencies.as_dict()
    assert tuple(times) == STAGES
    ran = [stage for stage in STAGES if times[stage]["p50_ms"] is not None]
    assert ran == ["capture", "detect", "classify"]


def test_detect_every_frame_asks_the_detector_each_time(model: ModelFile) -> None:
    still = [Frame(numbered_frame(0).image, "items", index, index / 25) for index in range(16)]
    for every, times in [(1, 16), (4, 4)]:
        detector = FixedDetector()
        frame_results(Pipeline(ItemSource(still), detector, model, detect_every=every))
        assert len(detector.searched) == times


@THREADS
def test_whole_images_are_classified_as_they_are(threads: int, model: ModelFile) -> None:
    detector: Detector = create_detector("none")
    results = frame_results(Pipeline(ItemSource(numbered_frames(3)), detector, model, threads=threads))
    whole = Detection(FaceBox(0, 0, 180, 100), framing=EXACT)
    assert [face.detection for result in results for face in result.faces] == [whole] * 3


class TestLive:
    @THREADS
    def test_the_newest_frames_win_and_the_others_are_counted(self, threads: int, model: ModelFile) -> None:
        taken_first = threading.Event()

        def camera() -> Iterator[Frame]:
            yield numbered_frame(0)
            taken_first.wait(30)
            yield from numbered_frames(200)

        source = ItemSource(camera(), live=True)
        with Pipeline(source, FixedDetector(), model, threads=threads) as pipeline:
            results = iter(pipeline)
            first = next(results)
            taken_first.set()
            wait_until(lambda: pipeline.frames_dropped >= 150)
            rest = list(results)
        assert isinstance(first, FrameResult)
        assert indices(rest)[-1] == 199
        assert indices(rest) == sorted(set(indices(rest)))
        assert 1 + len(rest) + pipeline.frames_dropped == 201

    @THREADS
    def test_a_discontinuity_is_never_dropped(self, threads: int, model: ModelFile) -> None:
        def camera() -> Iterator[SourceItem]:
            for number in range(20):
                if number:
                    yield Discontinuity("reconnect")
                yield from (numbered_frame(100 * number + index, noise(180, 100)) for index in range(5))

        source = ItemSource(camera(), live=True)
        results = frame_results(
            Pipeline(source, FixedDetector([FaceBox(0, 0, 60, 60)]), model, threads=threads)
        )
        # At least the last frame of each stretch arrives, and no face carries over from another stretch.
        ids_of_stretch: dict[int, set[int]] = {}
        for result in results:
            ids_of_stretch.setdefault(result.frame.index // 100, set()).update(f.id for f in result.faces)
        assert list(ids_of_stretch) == list(range(20))
        assert list(ids_of_stretch.values()) == [{number} for number in range(20)]


class TestDiscontinuity:
    @staticmethod
    def same_face(count: int, start: int = 0) -> Iterator[Frame]:
        """Return identical frames, through which a face would be tracked."""
        image = numbered_frame(0).image
        return (Frame(image, "items", index, index / 25) for index in range(start, start + count))

    @THREADS
    def test_no_id_is_carried_over_and_ids_go_on_above(self, threads: int, model: ModelFile) -> None:
        items: list[SourceItem] = [
            *self.same_face(4),
            Discontinuity("reconnect"),
            *self.same_face(4, start=4),
            Discontinuity("next file"),
            *self.same_face(2, start=8),
        ]
        results = frame_results(Pipeline(ItemSource(items), FixedDetector(), model, threads=threads))
        assert indices(results) == list(range(10))
        assert ids(results) == [[0, 1, 2]] * 4 + [[3, 4, 5]] * 4 + [[6, 7, 8]] * 2

    @THREADS
    def test_no_score_is_carried_over(self, threads: int, model: ModelFile) -> None:
        def scores(*items: SourceItem) -> list[tuple[float, ...]]:
            detector = FixedDetector([FaceBox(0, 0, 60, 60)])
            source = ItemSource(items)
            results = frame_results(Pipeline(source, detector, model, smoothing=60.0, threads=threads))
            return [result.faces[0].scores.values for result in results]

        before = list(numbered_frames(5))
        after = numbered_frame(5)
        (alone,) = scores(after)
        assert scores(*before, Discontinuity("cut"), after)[-1] == alone
        assert scores(*before, after)[-1] != alone

    @THREADS
    def test_a_hard_cut_in_a_video_ends_ids_and_scores(self, threads: int, model: ModelFile) -> None:
        def run(*frames: Frame) -> list[FrameResult]:
            detector = FixedDetector([FaceBox(0, 0, 60, 60)])
            return frame_results(
                Pipeline(ItemSource(frames), detector, model, smoothing=60.0, threads=threads)
            )

        second = noise(180, 100, seed=99)
        after = [numbered_frame(index, second) for index in range(5, 8)]
        results = run(*numbered_frames(5), *after)
        assert ids(results) == [[0]] * 5 + [[1]] * 3
        assert [r.faces[0].scores for r in results[5:]] == [r.faces[0].scores for r in run(*after)]

    @THREADS
    def test_it_is_no_result(self, threads: int, model: ModelFile) -> None:
        items: list[SourceItem] = [
            Discontinuity("start"),
            numbered_frame(0),
            Discontinuity("cut"),
            Discontinuity("cut"),
            numbered_frame(1),
            Discontinuity("end"),
        ]
        with Pipeline(ItemSource(items), FixedDetector(), model, threads=threads) as pipeline:
            results = list(pipeline)
        assert [type(result) for result in results] == [FrameResult, FrameResult]

    @THREADS
    def test_a_change_of_the_frame_s_size_is_one(self, threads: int, model: ModelFile) -> None:
        small, large = noise(180, 100), noise(360, 200)
        sizes = [small] * 3 + [large] * 3 + [small] * 3
        frames = [Frame(image, "items", index, index / 25) for index, image in enumerate(sizes)]
        detector = FixedDetector([FaceBox(10, 10, 60, 60)])
        results = frame_results(Pipeline(ItemSource(frames), detector, model, threads=threads))
        assert ids(results) == [[0]] * 3 + [[1]] * 3 + [[2]] * 3

    def test_still_images_of_other_sizes_are_none(self, model: ModelFile) -> None:
        images = [Frame(noise(180 + number, 100), f"{number}.png") for number in range(3)]
        detector = FixedDetector([FaceBox(10, 10, 60, 60)])
        results = frame_results(Pipeline(ItemSource(images, still=True), detector, model))
        assert ids(results) == [[0], [1], [2]]


@THREADS
def test_rows_alone_never_need_colors(threads: int, model: ModelFile, portrait: Image) -> None:
    """A gray model and the cascade use the decoder's gray plane directly."""

    def unwanted() -> Image:
        raise AssertionError("nobody needs the colors")

    small = np.asarray(cv2.resize(portrait, (256, 300), interpolation=cv2.INTER_AREA), np.uint8)
    gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
    lazy = [Frame(unwanted, "clip", index, index / 25, gray=gray, size=(256, 300)) for index in range(12)]
    eager = [Frame(small, "clip", index, index / 25) for index in range(12)]
    rows = [
        [
            result.as_record()
            for result in frame_results(
                Pipeline(ItemSource(frames), create_detector(), model, threads=threads)
            )
        ]
        for frames in (lazy, eager)
    ]
    assert rows[0] == rows[1]
    assert all(len(row["faces"]) == 1 for row in rows[0])
