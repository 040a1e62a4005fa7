"""Evaluation of rules over time: one event each time a rule becomes true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

from fer_edge.events.rules import (
    And,
    Condition,
    EmotionIs,
    FaceCount,
    Lasting,
    NoFace,
    Not,
    Operator,
    Or,
    Rule,
    walk,
)
from fer_edge.types import FaceRecord, FaceResult, FrameResult

__all__ = ["Event", "EventRecord", "RuleEngine"]

_MISSED_S: Final = 0.5  # a face missed for less than this still counts as present and unchanged
# Hysteresis: once a score has crossed its limit, it must move back past the limit by this much to count as uncrossed.
_MARGIN: Final = 0.05
_EPSILON_S: Final = 5e-4  # tolerance for rounded clocks


class EventRecord(TypedDict):
    """An event as JSON: the rule, its count, the face and the row of the frame."""

    rule: str
    number: int
    face: int | None
    source: str
    frame: int
    time_s: float | None
    clock: str | None
    faces: list[FaceRecord]


@dataclass(frozen=True, slots=True)
class Event:
    """An event: a rule became true for a face, or for the scene.

    ``number`` counts the events of the rule from 1. ``face`` is the ID of the face, or None for a rule about
    the scene.
    """

    rule: Rule
    number: int
    face: int | None
    result: FrameResult

    def as_record(self) -> EventRecord:
        """Return the event as JSON."""
        record = self.result.as_record()
        return {"rule": self.rule.text, "number": self.number, "face": self.face, **record}


@dataclass(slots=True)
class _RuleMemory:
    """The memory of a rule about one face or the scene.

    ``crossed`` maps each comparison to whether its score has crossed the limit; ``since_s`` maps each condition that
    holds to the time from which it has held.
    """

    crossed: dict[tuple[EmotionIs, int], bool] = field(default_factory=dict)
    since_s: dict[Condition, float] = field(default_factory=dict)
    is_true: bool = False
    is_event_pending: bool = False  # the rule became true, but its event is still pending

    def forget(self, face: int) -> None:
        """Forget a face that has left."""
        for key in [key for key in self.crossed if key[1] == face]:
            del self.crossed[key]


class _RuleState:
    """A rule and its memory."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.scene = _RuleMemory()
        self.faces: dict[int, _RuleMemory] = {}
        self.number = 0
        self.last_s: float | None = None
        # In a rule about each face, conditions on the scene go on even while no face is in view.
        self.lasting = [
            part
            for part in walk(rule.condition)
            if rule.per_face and isinstance(part, Lasting) and not part.per_face
        ]

    def forget(self, faces: Sequence[int]) -> None:
        """Forget faces that have left."""
        for face in faces:
            self.faces.pop(face, None)
            self.scene.forget(face)

    def may_fire(self, time_s: float) -> bool:
        """Return whether enough time has passed since the rule's last event."""
        every_s = self.rule.every_s
        return every_s is None or self.last_s is None or time_s - self.last_s >= every_s - _EPSILON_S


@dataclass(slots=True)
class _LastSeenFace:
    face: FaceResult
    time_s: float


class RuleEngine:
    """Evaluates rules on the results of a stream, using the stream's clock.

    A rule fires when it becomes true, and again only after it has been false. Rules about a face fire for
    each face separately. With ``every``, two events of a rule are at least that far apart: a rule that
    becomes true earlier waits, and its event is dropped if it does not stay true. A face missed for less than
    half a second still counts as present and unchanged. Once a score has crossed its limit,
    it counts as crossed until it is 0.05 back on the other side.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self.reset()

    def reset(self) -> None:
        """Start over for another stream; nothing carries over, and event counts restart."""
        self._states = [_RuleState(rule) for rule in self._rules]
        self._seen: dict[int, _LastSeenFace] = {}
        self._face_s: float | None = None  # when a face was last in view, or when the stream began
        self._last_s = 0.0

    def interrupt(self) -> None:
        """Continue the stream after a gap without frames.

        The faces before the gap are forgotten, and every ``for`` duration restarts. Event counts and the time
        since the last event carry over.
        """
        for state in self._states:
            state.faces.clear()
            state.scene.crossed.clear()
            state.scene.since_s.clear()
        self._seen.clear()
        self._face_s = None

    def update(self, result: FrameResult) -> list[Event]:
        """Evaluate the rules on the next result; return events in the order of the rules."""
        time_s = result.frame.time_s or 0.0
        if self._face_s is None or result.faces:
            self._face_s = time_s
        gone = self._find_replaced(result)
        for face in result.faces:
            self._seen[face.id] = _LastSeenFace(face, time_s)
        gone += [
            number for number, seen in self._seen.items() if time_s - seen.time_s >= _MISSED_S - _EPSILON_S
        ]
        for number in dict.fromkeys(gone):
            del self._seen[number]
        self._last_s = time_s
        events: list[Event] = []
        for state in self._states:
            state.forget(gone)
            events += self._check(state, result, time_s)
        return events

    def _find_replaced(self, result: FrameResult) -> list[int]:
        """Return the faces that new ones replace in this frame.

        This happens after a cut, and when a face gets a new ID.
        """
        now = {face.id for face in result.faces}
        new_count = len(now - self._seen.keys())
        vanished = [n for n, seen in self._seen.items() if n not in now and seen.time_s == self._last_s]
        return vanished[:new_count]

    def _check(self, state: _RuleState, result: FrameResult, time_s: float) -> Iterator[Event]:
        rule, scene = state.rule, state.scene
        for condition in state.lasting:
            self._holds(condition, None, scene, scene, time_s)
        for number in list(self._seen) if rule.per_face else [None]:
            scope = scene if number is None else state.faces.setdefault(number, _RuleMemory())
            face = None if number is None else self._seen[number].face
            is_true = self._holds(rule.condition, face, scope, scene, time_s)
            scope.is_event_pending = is_true and (scope.is_event_pending or not scope.is_true)
            scope.is_true = is_true
            if scope.is_event_pending and state.may_fire(time_s):
                scope.is_event_pending = False
                state.number += 1
                state.last_s = time_s
                yield Event(rule, state.number, number, result)

    def _holds(
        self,
        condition: Condition,
        face: FaceResult | None,
        scope: _RuleMemory,
        scene: _RuleMemory,
        time_s: float,
    ) -> bool:
        """Return whether a condition holds for a face, or for the scene.

        All parts are evaluated, without short-circuiting, because each part has a memory to update.
        """
        match condition:
            case EmotionIs(anyone=True):
                shown = [_is_shown(condition, seen.face, scene) for seen in self._seen.values()]
                return any(shown)
            case EmotionIs():
                return face is not None and _is_shown(condition, face, scope)
            case FaceCount(operator, number):
                return _compare(len(self._seen), operator, number)
            case NoFace():
                return self._is_empty_for(0.0, time_s)
            case Lasting(NoFace(), seconds):
                return self._is_empty_for(seconds, time_s)
            case Lasting(inner, seconds):
                holds = self._holds(inner, face, scope, scene, time_s)
                return _has_lasted(condition, holds, seconds, scope if condition.per_face else scene, time_s)
            case Not(inner):
                return not self._holds(inner, face, scope, scene, time_s)
            case And(parts):
                return all(self._hold(parts, face, scope, scene, time_s))
            case Or(parts):
                return any(self._hold(parts, face, scope, scene, time_s))

    def _hold(
        self,
        conditions: Sequence[Condition],
        face: FaceResult | None,
        scope: _RuleMemory,
        scene: _RuleMemory,
        time_s: float,
    ) -> list[bool]:
        return [self._holds(condition, face, scope, scene, time_s) for condition in conditions]

    def _is_empty_for(self, seconds: float, time_s: float) -> bool:
        assert self._face_s is not None
        return time_s - self._face_s >= max(seconds, _MISSED_S) - _EPSILON_S


def _has_lasted(condition: Lasting, holds: bool, seconds: float, scope: _RuleMemory, time_s: float) -> bool:
    if not holds:
        scope.since_s.pop(condition, None)
        return False
    return time_s - scope.since_s.setdefault(condition, time_s) >= seconds - _EPSILON_S


def _is_shown(condition: EmotionIs, face: FaceResult, scope: _RuleMemory) -> bool:
    """Return whether a face shows an emotion, with hysteresis."""
    score = face.scores.values[face.scores.labels.index(condition.label)]
    key = (condition, face.id)
    margin = _MARGIN if scope.crossed.get(key, False) else 0.0
    if condition.operator is None:
        holds = score + margin >= face.score
    elif condition.operator in (">", ">="):
        holds = _compare(score + margin, condition.operator, condition.score)
    elif condition.operator in ("<", "<="):
        holds = _compare(score - margin, condition.operator, condition.score)
    else:
        holds = _compare(score, condition.operator, condition.score)
    scope.crossed[key] = holds
    return holds


def _compare(value: float, operator: Operator, limit: float) -> bool:
    match operator:
        case ">":
            return value > limit
        case ">=":
            return value >= limit
        case "<":
            return value < limit
        case "<=":
            return value <= limit
        case "==":
            return value == limit
        case "!=":
            return value != limit
