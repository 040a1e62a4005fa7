"""When rules emit events: once each time they become true."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from fer_edge.events.engine import Event, RuleEngine
from fer_edge.events.rules import parse_rule
from fer_edge.types import Detection, EmotionScores, FaceBox, FaceResult, Frame, FrameResult

LABELS = ("sad", "happy", "neutral")
RATE = 10.0

Faces = Callable[[float], dict[int, float]]
"""The people in view at a time in seconds: id → probability of happy; the rest is sad."""


def face(number: int, happy: float) -> FaceResult:
    scores = EmotionScores(LABELS, (1 - happy, happy, 0.0))
    return FaceResult(number, Detection(FaceBox(0, 0, 9, 9)), scores, scores.emotion)


def result(frame: int, faces: dict[int, float], start_s: float = 0.0) -> FrameResult:
    image = np.zeros((9, 9, 3), np.uint8)
    found = tuple(face(number, happy) for number, happy in faces.items())
    return FrameResult(Frame(image, "clip.mp4", frame, start_s + frame / RATE), found)


def run(*texts: str, faces: Faces, seconds: float = 10.0) -> list[Event]:
    engine = RuleEngine([parse_rule(text, LABELS) for text in texts])
    frames = round(seconds * RATE)
    return [event for n in range(frames) for event in engine.update(result(n, faces(n / RATE)))]


def times(events: Sequence[Event]) -> list[float]:
    return [event.result.frame.time_s or 0.0 for event in events]


def between(start: float, end: float, happy: float = 1.0, other: float = 0.0) -> Faces:
    return lambda t: {0: happy if start <= t < end else other}


class TestOneFace:
    def test_a_rule_emits_once_each_time_it_becomes_true(self) -> None:
        events = run("happy > 0.8", faces=lambda t: {0: 0.9 if int(t) % 2 else 0.1})
        assert times(events) == [1.0, 3.0, 5.0, 7.0, 9.0]
        assert [event.number for event in events] == [1, 2, 3, 4, 5]
        assert {event.face for event in events} == {0}

    def test_only_after_it_has_lasted(self) -> None:
        assert times(run("happy > 0.8 for 2s", faces=between(1.0, 9.0))) == [3.0]
        assert times(run("happy > 0.8 for 2s", faces=between(1.0, 3.0))) == []
        assert times(run("happy > 0.8 for 2s", faces=between(1.0, 3.1))) == [3.0]

    def test_a_flicker_about_the_limit_is_one_event(self) -> None:
        flicker = run("happy > 0.8 for 2s", faces=lambda t: {0: 0.82 if round(t * RATE) % 2 else 0.77})
        assert times(flicker) == [2.1]
        assert times(run("happy > 0.8", faces=lambda t: {0: 0.82 if round(t * RATE) % 2 else 0.7}, seconds=1)) == [
            0.1, 0.3, 0.5, 0.7, 0.9,
        ]  # fmt: skip
        below = run("happy < 0.2", faces=lambda t: {0: 0.18 if round(t * RATE) % 2 else 0.23})
        assert times(below) == [0.1]

    def test_a_face_that_is_missed_for_a_moment_goes_on(self) -> None:
        def blinking(t: float) -> dict[int, float]:
            return {} if 2.0 <= t < 2.4 else {0: 1.0}

        assert times(run("happy for 4s", faces=blinking)) == [4.0]
        assert times(run("happy", faces=blinking)) == [0.0]

    def test_one_that_is_gone_for_longer_begins_again(self) -> None:
        def away(t: float) -> dict[int, float]:
            return {} if 2.0 <= t < 3.0 else {0: 1.0}

        assert times(run("happy for 4s", faces=away)) == [7.0]
        assert times(run("happy", faces=away)) == [0.0, 3.0]

    def test_the_emotion_alone_is_the_highest(self) -> None:
        assert times(run("happy", faces=between(2.0, 3.0, 0.6, 0.4))) == [2.0]
        assert times(run("sad", faces=between(2.0, 3.0, 0.6, 0.4))) == [0.0, 3.0]


class TestSeveralFaces:
    def test_each_face_is_counted_separately(self) -> None:
        events = run("happy > 0.8 for 1s", faces=lambda t: {4: 1.0, 7: 1.0 if t >= 3 else 0.0})
        assert [(event.face, time) for event, time in zip(events, times(events), strict=True)] == [
            (4, 1.0),
            (7, 4.0),
        ]

    def test_another_face_does_not_go_on_with_it(self) -> None:
        assert run("happy > 0.8 for 2s", faces=lambda t: {int(t / 1.5): 1.0}) == []

    def test_with_any_another_face_continues_the_duration(self) -> None:
        events = run("any happy > 0.8 for 2s", faces=lambda t: {int(t / 1.5): 1.0})
        assert times(events) == [2.0]
        assert events[0].face is None

    def test_the_number_of_faces(self) -> None:
        crowd: Faces = lambda t: dict.fromkeys(range(3 if 2 <= t < 5 else 2), 0.0)  # noqa: E731
        assert times(run("faces >= 3", faces=crowd)) == [2.0]
        assert times(run("faces >= 3 for 2s", faces=crowd)) == [4.0]
        assert times(run("faces < 3 and any sad", faces=crowd)) == [0.0, 5.4]

    def test_a_condition_on_the_scene_can_last_before_a_face_comes(self) -> None:
        def late(t: float) -> dict[int, float]:
            return {1: 0.0} | ({2: 1.0} if t >= 3 else {})

        assert times(run("(any sad) for 3s and happy", faces=late)) == [3.0]


class TestNobody:
    def test_no_face_for_so_long(self) -> None:
        def visit(t: float) -> dict[int, float]:
            return {0: 0.0} if 2.5 <= t < 3.0 else {}

        assert times(run("no face for 2s", faces=visit)) == [2.0, 4.9]
        assert times(run("no face for 5s", faces=visit)) == [7.9]

    def test_a_face_that_is_missed_for_a_moment_is_there(self) -> None:
        assert run("no face", faces=lambda t: {} if 2.0 <= t < 2.4 else {0: 0.0}) == []
        assert times(run("face", faces=lambda t: {} if 2.0 <= t < 2.4 else {0: 0.0})) == [0.0]


class TestPauses:
    def test_every_limits_the_rate_of_events(self) -> None:
        blinking: Faces = lambda t: {0: 0.9 if round(t * RATE) % 4 < 2 else 0.1}  # noqa: E731
        assert times(run("happy > 0.8 every 3s", faces=blinking)) == [0.0, 3.2, 6.4, 9.6]

    def test_every_applies_across_faces(self) -> None:
        events = run("happy > 0.8 every 3s", faces=lambda t: {round(t * 2): 1.0})
        assert all(b - a >= 3.0 for a, b in zip(times(events), times(events)[1:], strict=False))
        assert len(events) == 4

    def test_a_rule_that_becomes_true_meanwhile_waits(self) -> None:
        two: Faces = lambda t: {0: 1.0, 1: 1.0 if t >= 1 else 0.0}  # noqa: E731
        assert times(run("happy > 0.8 every 5s", faces=two)) == [0.0, 5.0]

    def test_a_waiting_rule_lapses_if_it_becomes_false(self) -> None:
        two: Faces = lambda t: {0: 1.0, 1: 1.0 if 1 <= t < 4 else 0.0}  # noqa: E731
        assert times(run("happy > 0.8 every 5s", faces=two)) == [0.0]

    def test_staying_true_gives_one(self) -> None:
        assert times(run("happy > 0.8 every 2s", faces=between(0, 99))) == [0.0]


def test_and_or_not() -> None:
    faces = between(2.0, 4.0)
    assert times(run("happy > 0.8 and faces >= 2", faces=faces)) == []
    assert times(run("happy > 0.8 or faces >= 2", faces=faces)) == [2.0]
    assert times(run("not happy > 0.8", faces=faces)) == [0.0, 4.0]
    assert times(run("not happy > 0.8 for 1s and sad", faces=faces)) == [0.0, 4.0]


def test_rules_come_in_their_order_and_count_for_themselves() -> None:
    events = run("happy", "face", "any happy", faces=between(0.0, 1.0))
    assert [(event.rule.text, event.number) for event in events] == [
        ("happy", 1),
        ("face", 1),
        ("any happy", 1),
    ]


def test_a_reset_forgets_everything_for_the_next_stream() -> None:
    engine = RuleEngine([parse_rule("happy > 0.8 for 1s every 60s", LABELS)])

    def play() -> list[Event]:
        return [event for n in range(20) for event in engine.update(result(n, {0: 1.0}))]

    assert times(play()) == [1.0]
    engine.reset()
    assert times(play()) == [1.0]


def test_nothing_is_kept_of_faces_that_are_gone() -> None:
    engine = RuleEngine([parse_rule("happy > 0.8 for 1s and any sad < 0.5", LABELS)])
    for n in range(5000):
        engine.update(result(n, {n: 1.0}))
    state = engine._states[0]
    assert max(len(engine._seen), len(state.faces), len(state.scene.crossed)) < 10


def test_an_event_has_the_frame_s_row() -> None:
    (event,) = run("happy > 0.8", faces=between(0.0, 1.0), seconds=1)
    record = event.as_record()
    assert (record["rule"], record["number"], record["face"]) == ("happy > 0.8", 1, 0)
    assert (record["source"], record["frame"], record["time_s"]) == ("clip.mp4", 0, 0.0)
    assert record["faces"][0]["emotion"] == "happy"


@pytest.mark.parametrize("start_s", [0.0, 1e6])
def test_a_clock_may_begin_anywhere(start_s: float) -> None:
    engine = RuleEngine([parse_rule("no face for 1s", LABELS)])
    found = [event for n in range(20) for event in engine.update(result(n, {}, start_s))]
    assert times(found) == [start_s + 1.0]


class TestInterruption:
    """A lost camera: nothing is known about the time of the outage."""

    @staticmethod
    def play(text: str, before: dict[int, float], after: dict[int, float]) -> list[float]:
        """Return the event times: one second before, an hour of outage, five seconds after."""
        engine = RuleEngine([parse_rule(text, LABELS)])
        found = [event for n in range(10) for event in engine.update(result(n, before))]
        engine.interrupt()
        found += [event for n in range(36_000, 36_050) for event in engine.update(result(n, after))]
        return [round(time_s, 1) for time_s in times(found)]

    @pytest.mark.parametrize(
        ("text", "before", "after", "expected"),
        [
            ("no face for 2s", {}, {}, [3602.0]),
            ("no face for 2s", {0: 1.0}, {}, [3602.0]),
            ("no face", {}, {}, [0.5, 3600.5]),
            ("any happy for 2s", {0: 1.0}, {1: 1.0}, [3602.0]),
            ("happy for 2s", {0: 1.0}, {1: 1.0}, [3602.0]),
            ("faces == 0 for 2s", {}, {}, [3602.0]),
            ("faces >= 2", {0: 1.0}, {1: 1.0}, []),
            ("face", {0: 1.0}, {1: 1.0}, [0.0]),
        ],
    )
    def test_an_interruption_does_not_count_as_time(
        self, text: str, before: dict[int, float], after: dict[int, float], expected: list[float]
    ) -> None:
        assert self.play(text, before, after) == expected

    def test_events_go_on_counting(self) -> None:
        engine = RuleEngine([parse_rule("any happy every 1h", LABELS)])
        first = engine.update(result(0, {0: 1.0}))
        engine.interrupt()
        assert engine.update(result(10, {1: 0.0})) + engine.update(result(11, {1: 1.0})) == []
        second = engine.update(result(36_000, {1: 1.0}))
        assert [event.number for event in (*first, *second)] == [1, 2]


def test_a_face_that_gets_another_id_is_not_two() -> None:
    assert times(run("faces >= 2", faces=lambda t: {int(t): 0.0})) == []


def test_a_second_face_that_is_missed_is_two_all_the_same() -> None:
    faces = {True: {0: 0.0, 1: 0.0}, False: {0: 0.0}}
    assert times(run("faces >= 2", faces=lambda t: faces[round(t * RATE) % 3 == 0])) == [0.0]
