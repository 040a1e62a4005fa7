"""One run: every result in every sink, its end, and its statistics."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from threading import Event, Timer
from typing import Any

import numpy as np
import pytest

from fer_edge._version import __version__
from fer_edge.errors import OutputError, SourceLostError
from fer_edge.models.find_model import ModelFile
from fer_edge.pipeline import Pipeline
from fer_edge.rendering import view as rendering
from fer_edge.rendering.annotate import annotate
from fer_edge.rendering.view import View
from fer_edge.runtime.latency import STAGES
from fer_edge.runtime.shutdown import Terminated, install_signal_handlers
from fer_edge.session import RunStatistics, Session, StopConditions, build_summary
from fer_edge.sources.base import SourceItem
from fer_edge.types import (
    Detection,
    Discontinuity,
    FaceBox,
    Frame,
    FrameResult,
    Image,
    SkippedInput,
    StreamInfo,
)
from tests.edge.support import (
    FixedDetector,
    ItemSource,
    make_face,
    make_result,
    noise,
    numbered_frame,
    numbered_frames,
)


class RecordingSink:
    """Records its calls; draws if ``draws`` is set; sets the stop event after ``stops_after`` results."""

    def __init__(
        self,
        *,
        draws: bool = False,
        stops_after: int | None = None,
        fails_at: str | None = None,
    ) -> None:
        self.events: list[str] = []
        self.results: list[View | SkippedInput] = []
        self.images: list[Image] = []
        self.stream: StreamInfo | None = None
        self._draws, self._stops_after, self._fails_at = draws, stops_after, fails_at
        self._stop = Event()

    def open(self, stream: StreamInfo, stop: Event) -> None:
        self.stream, self._stop = stream, stop
        self._note("open")

    def write(self, result: View | SkippedInput) -> None:
        self._note("write")
        self.results.append(result)
        if self._draws and isinstance(result, View):
            self.images.append(result.image())
        if len(self.results) == self._stops_after:
            self._stop.set()

    def close(self) -> None:
        self._note("close")

    def _note(self, event: str) -> None:
        self.events.append(event)
        if event == self._fails_at:
            raise OutputError(f"{event} failed")


Run = Callable[..., Session]


@pytest.fixture
def run(model: ModelFile) -> Iterator[Run]:
    """Run items through a single-threaded pipeline into sinks; return the session."""
    with ExitStack() as stack:

        def run_items(
            items: Sequence[SourceItem] | Iterator[SourceItem],
            *sinks: RecordingSink,
            stop: StopConditions | None = None,
            mirror: bool = False,
            still: bool = False,
            live: bool = False,
            error: type[BaseException] | None = None,
            on_result: Any = None,
        ) -> Session:
            source = ItemSource(items, still=still, live=live)
            detector = FixedDetector([FaceBox(0, 0, 60, 60)])
            pipeline = stack.enter_context(Pipeline(source, detector, model))
            session = Session(pipeline, sinks, stop or StopConditions(), mirror=mirror)
            if error is None:
                assert session.run(on_result) is session.statistics
            else:
                with pytest.raises(error):
                    session.run(on_result)
            return session

        yield run_items


def endless() -> Iterator[Frame]:
    index = 0
    while True:
        yield numbered_frame(index)
        index += 1


def test_every_sink_takes_every_result_in_order(run: Run) -> None:
    sinks = [RecordingSink(), RecordingSink()]
    items = [numbered_frame(0), SkippedInput("b", "broken"), numbered_frame(1)]
    run(items, *sinks)
    for sink in sinks:
        assert sink.events == ["open", "write", "write", "write", "close"]
        first, second, third = sink.results
        assert isinstance(first, View)
        assert isinstance(third, View)
        assert (first.index, second, third.index) == (0, items[1], 1)


def test_a_sink_is_told_of_the_stream_once_the_source_is_open(run: Run) -> None:
    sink = RecordingSink()
    run(numbered_frames(1), sink)
    assert sink.stream == StreamInfo(name="items", frame_rate=25.0)


def test_a_sink_sees_views_and_never_frames(run: Run) -> None:
    sink = RecordingSink()
    run([*numbered_frames(3), SkippedInput("b", "broken")], sink)
    assert [type(result) for result in sink.results] == [View, View, View, SkippedInput]


def test_an_image_is_drawn_once_for_all_sinks_and_not_at_all_for_none(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[bool] = []

    def counting(image: Image, faces: Any, *, mirror: bool, ids: bool) -> Image:
        drawn.append(mirror)
        return annotate(image, faces, mirror=mirror, ids=ids)

    monkeypatch.setattr(rendering, "annotate", counting)
    run(numbered_frames(3), RecordingSink(), RecordingSink())
    assert drawn == []
    sinks = [RecordingSink(draws=True), RecordingSink(draws=True), RecordingSink()]
    run(numbered_frames(3), *sinks, mirror=True)
    assert drawn == [True, True, True]
    assert all(one is other for one, other in zip(sinks[0].images, sinks[1].images, strict=True))


def test_mirrored_images_are_annotated_and_coordinates_stay(run: Run) -> None:
    plain, mirrored = RecordingSink(draws=True), RecordingSink(draws=True)
    frames = [Frame(noise(180, 100), "items", 0, 0.0)]
    run(frames, plain)
    run(frames, mirrored, mirror=True)
    views = [sink.results[0] for sink in (plain, mirrored)]
    for sink, view, mirror in ((plain, views[0], False), (mirrored, views[1], True)):
        assert isinstance(view, View)
        expected = annotate(frames[0].image, view.faces, mirror=mirror)
        assert np.array_equal(sink.images[0], expected)
    assert all(isinstance(view, View) for view in views)
    assert views[0].as_record() == views[1].as_record()  # type: ignore[union-attr]


class TestItsEnd:
    def test_a_sink_that_sets_the_stop_event_ends_the_run(self, run: Run) -> None:
        window, other = RecordingSink(draws=True, stops_after=3), RecordingSink()
        statistics = run(endless(), window, other).statistics
        assert statistics.frames == 3
        # All sinks get the result, and all are closed.
        assert window.events == other.events == ["open", "write", "write", "write", "close"]

    @pytest.mark.parametrize("count", [1, 4])
    def test_after_so_many_frames(self, count: int, run: Run) -> None:
        sink = RecordingSink()
        run(endless(), sink, stop=StopConditions(frames=count))
        assert len(sink.results) == count

    def test_images_that_could_not_be_read_count(self, run: Run) -> None:
        sink = RecordingSink()
        items = [SkippedInput("a", "broken"), numbered_frame(0), numbered_frame(1)]
        run(items, sink, stop=StopConditions(frames=2))
        assert len(sink.results) == 2

    def test_after_so_many_seconds_although_a_camera_gives_nothing(self, run: Run) -> None:
        gone = Event()

        def items() -> Iterator[SourceItem]:
            yield numbered_frame(0)
            gone.wait(10)

        sink = RecordingSink()
        Timer(0.6, gone.set).start()
        started = time.perf_counter()
        run(items(), sink, stop=StopConditions(seconds=0.3), live=True)
        assert 0.3 <= time.perf_counter() - started < 5
        assert sink.events == ["open", "write", "close"]

    def test_after_so_many_seconds_of_the_source_s_clock(self, run: Run) -> None:
        sink = RecordingSink()
        run(endless(), sink, stop=StopConditions(seconds=1.0))
        assert len(sink.results) == 25

    def test_with_the_source(self, run: Run) -> None:
        assert run([], RecordingSink()).statistics == RunStatistics()


class TestErrors:
    def test_a_source_s_error_closes_every_sink_with_what_came_before(self, run: Run) -> None:
        sinks = [RecordingSink(), RecordingSink()]
        items = numbered_frames(3, then=SourceLostError("gone"))
        statistics = run(items, *sinks, error=SourceLostError).statistics
        assert all(sink.events == ["open", *["write"] * 3, "close"] for sink in sinks)
        assert statistics.frames == 3

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_an_interruption_closes_every_sink(self, error: type[BaseException], run: Run) -> None:
        sinks = [RecordingSink(), RecordingSink()]
        run(numbered_frames(3, then=error()), *sinks, error=error)
        assert all(sink.events[-1] == "close" for sink in sinks)

    @pytest.mark.skipif(os.name == "nt", reason="Windows terminates processes immediately")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_while_a_frame_is_written_leaves_it_complete(
        self, number: signal.Signals, run: Run
    ) -> None:
        class Interrupted(RecordingSink):
            def write(self, result: View | SkippedInput) -> None:
                super().write(result)
                if len(self.results) == 2:
                    os.kill(os.getpid(), number)

        install_signal_handlers()
        sinks = [Interrupted(), RecordingSink()]
        told: list[object] = []
        error = KeyboardInterrupt if number == signal.SIGINT else Terminated
        statistics = run(numbered_frames(5), *sinks, error=error, on_result=told.append).statistics
        assert statistics.frames == len(told) == 2
        assert all(sink.events == ["open", "write", "write", "close"] for sink in sinks)

    def test_a_sink_s_error_closes_every_sink(self, run: Run) -> None:
        failing, other = RecordingSink(fails_at="write"), RecordingSink()
        statistics = run(numbered_frames(3), failing, other, error=OutputError).statistics
        assert failing.events == ["open", "write", "close"]
        assert other.events == ["open", "close"]
        assert statistics.frames == 0

    def test_a_sink_that_cannot_be_opened_is_closed_with_those_before_it(self, run: Run) -> None:
        first, failing, last = RecordingSink(), RecordingSink(fails_at="open"), RecordingSink()
        run(numbered_frames(3), first, failing, last, error=OutputError)
        assert (first.events, failing.events, last.events) == (["open", "close"], ["open", "close"], [])

    def test_a_sink_that_cannot_be_closed_does_not_keep_others_open(self, run: Run) -> None:
        sinks = [RecordingSink(), RecordingSink(fails_at="close"), RecordingSink()]
        run(numbered_frames(1), *sinks, error=OutputError)
        assert all(sink.events == ["open", "write", "close"] for sink in sinks)

    def test_an_error_of_the_caller_s_closes_every_sink(self, run: Run) -> None:
        sink = RecordingSink()

        def fail(result: object) -> None:
            raise KeyError

        run(numbered_frames(3), sink, on_result=fail, error=KeyError)
        assert sink.events == ["open", "write", "close"]


class SkippingDetector(FixedDetector):
    """A detector that finds its faces only in every third frame."""

    def detect(
        self, frame: Frame, roi: FaceBox | None = None, **sizes: float | None
    ) -> tuple[Detection, ...]:
        found = super().detect(frame, roi)
        return found if frame.index % 3 == 2 else ()


class TestHiding:
    @pytest.fixture
    def session(self, model: ModelFile) -> Iterator[Callable[..., Session]]:
        """Return a function that creates a session with hidden faces on frames of noise, some with a face."""
        with ExitStack() as stack:

            def make(*sinks: RecordingSink, items: Any = None, frames: int | None = None) -> Session:
                source = ItemSource(self.frames(40) if items is None else items)
                detector = SkippingDetector([FaceBox(60, 50, 48, 48)])
                pipeline = stack.enter_context(Pipeline(source, detector, model, detect_every=1))
                return Session(pipeline, sinks, StopConditions(frames), hide="pixelate")

            yield make

    @staticmethod
    def frames(count: int) -> list[SourceItem]:
        return [Frame(noise(200, 150, seed=n), "clip", n, n / 25) for n in range(count)]

    def test_no_sink_sees_a_face_in_any_frame(self, session: Callable[..., Session]) -> None:
        sinks = [RecordingSink(draws=True), RecordingSink(draws=True)]
        session(*sinks).run()
        for sink in sinks:
            assert len(sink.images) == 40
            for image in sink.images:
                inner = image[62:94, 62:106].astype(int)  # inside the outline of its box
                assert (np.diff(inner, axis=1) != 0).any(axis=(0, 2)).sum() <= 6
                assert (np.diff(inner, axis=0) != 0).any(axis=(1, 2)).sum() <= 6

    def test_results_come_late_but_all_and_in_order(self, session: Callable[..., Session]) -> None:
        sink = RecordingSink()
        items = [*self.frames(20), SkippedInput("b", "broken"), *self.frames(5)]
        statistics = session(sink, items=items).run()
        assert [r.index if isinstance(r, View) else r.source for r in sink.results] == [
            *range(20),
            "b",
            *range(5),
        ]
        assert statistics.frames == 25
        assert sink.events[-1] == "close"

    def test_what_waits_is_written_at_a_limit_an_error_and_an_interruption(
        self, session: Callable[..., Session]
    ) -> None:
        limited, broken, interrupted = RecordingSink(), RecordingSink(), RecordingSink()
        session(limited, frames=7).run()
        assert len(limited.results) == 7

        def items(error: BaseException) -> Iterator[SourceItem]:
            yield from self.frames(5)
            raise error

        with pytest.raises(SourceLostError):
            session(broken, items=items(SourceLostError("gone"))).run()
        with pytest.raises(KeyboardInterrupt):
            session(interrupted, items=items(KeyboardInterrupt())).run()
        assert [len(sink.results) for sink in (broken, interrupted)] == [5, 5]
        assert broken.events[-1] == interrupted.events[-1] == "close"

    def test_a_sink_that_failed_is_given_nothing_more(self, session: Callable[..., Session]) -> None:
        sink = RecordingSink(fails_at="write")
        with pytest.raises(OutputError):
            session(sink).run()
        assert sink.events == ["open", "write", "close"]


class TestStatistics:
    def test_frames_faces_emotions_and_errors_are_counted(self) -> None:
        statistics = RunStatistics()
        angry = make_face(FaceBox(0, 0, 9, 9), "sad")
        for result in (
            make_result(faces=2),
            make_result(faces=0),
            SkippedInput("b", "b: broken"),
            FrameResult(Frame(noise()), (angry,)),
        ):
            statistics.add(result)
        assert (statistics.frames, statistics.faces, statistics.frames_with_faces) == (3, 3, 2)
        assert statistics.emotions == {"happy": 2, "sad": 1}
        assert statistics.errors == ["b: broken"]

    def test_frames_per_second_are_of_the_whole_run(self) -> None:
        assert RunStatistics(frames=50, duration_s=2.0).fps == 25
        assert RunStatistics().fps == 0

    def test_the_caller_hears_of_each_result_when_it_is_written(self, run: Run) -> None:
        sink = RecordingSink()
        heard: list[int] = []
        run(numbered_frames(3), sink, on_result=lambda result: heard.append(len(sink.results)))
        assert heard == [1, 2, 3]

    def test_drawing_and_writing_are_timed_where_they_happen(self, model: ModelFile) -> None:
        for sinks, stages in (([], 3), ([RecordingSink()], 4), ([RecordingSink(draws=True)], 5)):
            with Pipeline(ItemSource(numbered_frames(2)), FixedDetector(), model) as pipeline:
                Session(pipeline, sinks).run()
            times = pipeline.latencies.as_dict()
            assert sum(times[stage]["p50_ms"] is not None for stage in STAGES) == stages

    def test_the_summary_says_what_ran_and_what_it_came_to(self, model: ModelFile) -> None:
        items = [*numbered_frames(4), SkippedInput("b", "b: broken")]
        with Pipeline(ItemSource(items), FixedDetector(), model) as pipeline:
            statistics = Session(pipeline, []).run()
            summary = build_summary(statistics, pipeline, model=model, detector="fixed", threads=3)
        assert summary == {
            "version": __version__,
            "source": "items",
            "started": statistics.started.isoformat(timespec="milliseconds"),
            "model": {"name": model.spec.name, "variant": model.spec.variant, "sha256": model.sha256},
            "detector": "fixed",
            "threads": 3,
            "frames": 4,
            "reconnects": 0,
            "frames_dropped": 0,
            "faces": 12,
            "emotions": {"sad": 1.0},
            "people": statistics.summarize_people(),
            "duration_s": round(statistics.duration_s, 6),
            "fps": round(statistics.fps, 3),
            "stages": pipeline.latencies.as_dict(),
            "warnings": [],
            "errors": ["b: broken"],
        }
        assert [person["frames"] for person in summary["people"]] == [4, 4, 4]


@pytest.mark.parametrize("threads", [1, 4])
def test_hidden_faces_are_shown_in_time_while_a_camera_gives_nothing(model: ModelFile, threads: int) -> None:
    sink, written = RecordingSink(), Event()

    def camera() -> Iterator[SourceItem]:
        for index in range(3):
            yield numbered_frame(index)
        assert written.wait(20)

    def note(result: FrameResult | SkippedInput) -> None:
        if isinstance(result, FrameResult) and result.frame.index == 2:
            written.set()

    with Pipeline(
        ItemSource(camera(), live=True), FixedDetector([FaceBox(0, 0, 60, 60)]), model, threads=threads
    ) as pipeline:
        Session(pipeline, [sink], hide="blur").run(note)
    assert sink.results


class IdleRecorder(RecordingSink):
    """A sink that acts while no frames arrive, then ends the run."""

    def idle(self) -> None:
        self._note("idle")
        self._stop.set()


def test_a_sink_may_work_while_a_camera_gives_nothing(run: Run) -> None:
    sink, over = IdleRecorder(), Event()

    def camera() -> Iterator[SourceItem]:
        yield numbered_frame(0)
        over.wait(20)

    Timer(10, over.set).start()
    run(camera(), sink, live=True)
    assert sink.events[:3] == ["open", "write", "idle"]
    over.set()


@pytest.mark.parametrize("seconds", [1e10, 1e300])
def test_a_run_may_last_for_ever(run: Run, seconds: float) -> None:
    session = run(numbered_frames(2), live=True, stop=StopConditions(seconds=seconds))
    assert session.statistics.frames > 0


class LateDetector(FixedDetector):
    """A detector that finds the face from the third frame on."""

    def detect(self, frame: Frame, *arguments: Any, **options: Any) -> tuple[Detection, ...]:
        return super().detect(frame, *arguments, **options) if frame.index >= 2 else ()


@pytest.mark.parametrize(("size", "hidden"), [((200, 120), True), ((400, 240), False)])
def test_a_face_that_is_found_after_a_reconnect_was_there_before(
    model: ModelFile, size: tuple[int, int], hidden: bool
) -> None:
    images = [noise(200, 120), noise(200, 120), noise(*size)]

    def camera() -> Iterator[SourceItem]:
        for index, image in enumerate(images):
            if index == 2:
                yield Discontinuity("reconnect", StreamInfo(name="0", live=True, size=size, reconnects=1))
            yield Frame(image, "0", index, index / 10)

    sink = RecordingSink(draws=True)
    detector = LateDetector([FaceBox(10, 10, 60, 60)])
    with Pipeline(ItemSource(camera()), detector, model, detect_every=1) as pipeline:
        Session(pipeline, [sink], hide="pixelate").run()
    assert [view.index for view in sink.results if isinstance(view, View)] == [0, 1, 2]
    assert (sink.images[1][30:50, 30:50] != images[1][30:50, 30:50]).any() == hidden
