"""The published state: whose emotion it shows, and when it is sent."""

from __future__ import annotations

from fer_edge.rendering.view import View
from fer_edge.sinks.base import RunStatus
from fer_edge.sinks.mqtt.state import StateTracker
from fer_edge.types import FaceBox, Frame, FrameResult
from tests.edge.support import make_face, plain


def view(*faces: tuple[str, float, int], time_s: float = 0.0) -> View:
    """Return a view of faces, each with an emotion, a score and a side in pixels."""
    found = tuple(
        make_face(FaceBox(0, 0, side, side), label, score, number=number)
        for number, (label, score, side) in enumerate(faces)
    )
    return View(FrameResult(Frame(plain(0), "0", 7, time_s), found))


def test_before_the_first_frame_nothing_is_known() -> None:
    record = StateTracker(RunStatus()).take(0.0)
    assert (record["emotion"], record["score"], record["faces"], record["fps"]) == (None, None, None, 0.0)


def test_the_largest_face_gives_the_emotion() -> None:
    tracker = StateTracker(RunStatus())
    tracker.see(view(("happy", 0.9, 30), ("sad", 0.6, 40), ("happy", 0.7, 10), time_s=2.5), 0.0)
    record = tracker.take(0.0)
    assert (record["emotion"], record["score"], record["faces"], record["time_s"]) == ("sad", 0.6, 3, 2.5)


def test_an_empty_scene_is_none() -> None:
    tracker = StateTracker(RunStatus())
    tracker.see(view(), 0.0)
    record = tracker.take(0.0)
    assert (record["emotion"], record["score"], record["faces"]) == ("none", None, 0)


def test_where_no_frame_comes_any_more_nothing_is_known() -> None:
    tracker = StateTracker(RunStatus())
    tracker.see(view(("happy", 0.9, 30)), 0.0)
    assert tracker.take_change(1.0) is not None
    assert tracker.take_change(9.0) is None
    record = tracker.take_change(10.5)
    assert record is not None
    assert (record["emotion"], record["faces"], record["source"]) == (None, None, "0")


def test_the_state_is_sent_on_change_and_every_half_minute() -> None:
    tracker = StateTracker(RunStatus())
    told = []
    for tenth in range(700):
        emotion = "happy" if tenth < 100 else "sad"
        tracker.see(view((emotion, 0.9, 30), time_s=tenth / 10), tenth / 10)
        if (record := tracker.take_change(tenth / 10)) is not None:
            told.append((tenth / 10, record["emotion"]))
    assert told == [(0.0, "happy"), (10.0, "sad"), (40.0, "sad")]


def test_two_a_second_at_most_and_the_last_change_is_not_lost() -> None:
    tracker = StateTracker(RunStatus())
    told = []
    for hundredth in range(1000):
        emotion = ("happy", "sad")[hundredth // 5 % 2] if hundredth < 600 else "sad"
        tracker.see(view((emotion, 0.9, 30)), hundredth / 100)
        if (record := tracker.take_change(hundredth / 100)) is not None:
            told.append(record["emotion"])
    assert len(told) <= 21
    assert told[-1] == "sad"


def test_a_score_that_trembles_is_no_change() -> None:
    tracker = StateTracker(RunStatus())
    told = []
    for second, score in enumerate((0.8, 0.82, 0.78, 0.85, 0.95, 0.94)):
        tracker.see(view(("happy", score, 30)), float(second))
        if (record := tracker.take_change(float(second))) is not None:
            told.append(record["score"])
    assert told == [0.8, 0.95]


def test_a_reconnect_is_a_change() -> None:
    status = RunStatus()
    tracker = StateTracker(status)
    tracker.see(view(), 0.0)
    assert tracker.take_change(0.0) is not None
    status.reconnects = 1
    record = tracker.take_change(1.0)
    assert record is not None
    assert record["reconnects"] == 1


def test_the_frame_rate_is_that_of_the_last_ten_seconds() -> None:
    tracker = StateTracker(RunStatus())
    for frame in range(25 * 60):
        tracker.see(view(), frame / 25)
        tracker.take_change(frame / 25)
    assert abs(tracker.take(60.0)["fps"] - 25) < 2
    for second in range(60, 80):
        tracker.take_change(float(second))
    assert tracker.take(80.0)["fps"] == 0.0
