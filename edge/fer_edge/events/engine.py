"""Rules over time: when one comes true, once for each time that it does."""

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

_MISSED_S: Final = 0.5  # a face that is not found for less than this is taken to be there, as it was
_MARGIN: Final = 0.05  # a score that has passed a limit has to fall so far behind it: no flicker
_EPSILON_S: Final = 5e-4  # clocks are rounded


class EventRecord(TypedDict):
    """An event as actions get it, in JSON: which rule, the how manieth time, whose, and the frame's row."""

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
    """A rule that came true: of the face with that id, or of the scene; ``number`` counts the rule's from 1."""

    rule: Rule
    number: int
    face: int | None
    result: FrameResult

    def as_record(self) -> EventRecord:
        """The event as JSON."""
        record = self.result.as_record()
        return {"rule": self.rule.text, "number": self.number, "face": self.face, **record}


@dataclass(slots=True)
class _Scope:
    """What is remembered of a face, or of the scene: what is past its limit, and since when conditions hold."""

    past: dict[tuple[EmotionIs, int], bool] = field(default_factory=dict)
    since_s: dict[Condition, float] = field(default_factory=dict)
    is_true: bool = False
    waits: bool = False  # the rule came true, and its event has not been given yet

    def forget(self, face: int) -> None:
        """Forget a face that is gone."""
        for key in [key for key in self.past if key[1] == face]:
            del self.past[key]


class _RuleState:
    """A rule and what it remembers."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.scene = _Scope()
        self.faces: dict[int, _Scope] = {}
        self.number = 0
        self.last_s: float | None = None
        # Conditions on the scene last on where a rule about each face has no face to ask about.
        self.lasting = [
            part
            for part in walk(rule.condition)
            if rule.per_face and isinstance(part, Lasting) and not part.per_face
        ]

    def forget(self, faces: Sequence[int]) -> None:
        """Forget faces that are gone."""
        for face in faces:
            self.faces.pop(face, None)
            self.scene.forget(face)

    def is_cool(self, time_s: float) -> bool:
        """Whether another event may follow the last one."""
        every_s = self.rule.every_s
        return every_s is None or self.last_s is None or time_s - self.last_s >= every_s - _EPSILON_S


@dataclass(slots=True)
class _Seen:
    face: FaceResult
    time_s: float


class RuleEngine:
    """Follows rules through the results of a stream, by its own clock.

    A rule gives an event when it comes true, for each face by itself where it is about one, and again only after
    it was not true. With ``every``, no two come within that time: a rule that comes true meanwhile waits, and lapses if
    it does not stay true. A face that is missed for less than half a second counts as there, as it was. A score that
    is past a limit stays so until it is 0.05 behind it.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self.reset()

    def reset(self) -> None:
        """Another stream begins: nothing goes on, and no event of the one before counts."""
        self._states = [_RuleState(rule) for rule in self._rules]
        self._seen: dict[int, _Seen] = {}
        self._face_s: float | None = None  # when a face was last in view, or the stream began
        self._last_s = 0.0

    def interrupt(self) -> None:
        """The stream goes on after a time in which nothing was seen, with other faces: what has to last begins again.

        Events go on counting, and so does the time between them.
        """
        for state in self._states:
            state.faces.clear()
            state.scene.past.clear()
            state.scene.since_s.clear()
        self._seen.clear()
        self._face_s = None

    def update(self, result: FrameResult) -> list[Event]:
        """Take the next result; the events of it, in the rules' order."""
        time_s = result.frame.time_s or 0.0
        if self._face_s is None or result.faces:
            self._face_s = time_s
        gone = self._find_replaced(result)
        for face in result.faces:
            self._seen[face.id] = _Seen(face, time_s)
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
        """Faces in whose place others come in this very frame: after a cut, or where a face gets another id."""
        now = {face.id for face in result.faces}
        come = len(now - self._seen.keys())
        vanished = [n for n, seen in self._seen.items() if n not in now and seen.time_s == self._last_s]
        return vanished[:come]

    def _check(self, state: _RuleState, result: FrameResult, time_s: float) -> Iterator[Event]:
        rule, scene = state.rule, state.scene
        for condition in state.lasting:
            self._holds(condition, None, scene, scene, time_s)
        for number in list(self._seen) if rule.per_face else [None]:
            scope = scene if number is None else state.faces.setdefault(number, _Scope())
            face = None if number is None else self._seen[number].face
            is_true = self._holds(rule.condition, face, scope, scene, time_s)
            scope.waits = is_true and (scope.waits or not scope.is_true)
            scope.is_true = is_true
            if scope.waits and state.is_cool(time_s):
                scope.waits = False
                state.number += 1
                state.last_s = time_s
                yield Event(rule, state.number, number, result)

    def _holds(
        self, condition: Condition, face: FaceResult | None, scope: _Scope, scene: _Scope, time_s: float
    ) -> bool:
        """Whether a condition holds for a face, or for the scene.

        Every part is looked at, also where the first decides: each has a memory.
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
        scope: _Scope,
        scene: _Scope,
        time_s: float,
    ) -> list[bool]:
        return [self._holds(condition, face, scope, scene, time_s) for condition in conditions]

    def _is_empty_for(self, seconds: float, time_s: float) -> bool:
        assert self._face_s is not None
        return time_s - self._face_s >= max(seconds, _MISSED_S) - _EPSILON_S


def _has_lasted(condition: Lasting, holds: bool, seconds: float, scope: _Scope, time_s: float) -> bool:
    if not holds:
        scope.since_s.pop(condition, None)
        return False
    return time_s - scope.since_s.setdefault(condition, time_s) >= seconds - _EPSILON_S


def _is_shown(condition: EmotionIs, face: FaceResult, scope: _Scope) -> bool:
    """Whether a face shows an emotion; one that did a moment ago has to fall behind by more than a flicker."""
    score = face.scores.values[face.scores.labels.index(condition.label)]
    key = (condition, face.id)
    margin = _MARGIN if scope.past.get(key, False) else 0.0
    if condition.operator is None:
        holds = score + margin >= face.score
    elif condition.operator in (">", ">="):
        holds = _compare(score + margin, condition.operator, condition.score)
    else:
        holds = _compare(score - margin, condition.operator, condition.score)
    scope.past[key] = holds
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
