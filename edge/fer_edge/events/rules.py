"""Rules such as ``happy > 0.8 for 2s``: what can be said, and what is wrong with what was said.

::

    rule        = either [ "every" duration ]
    either      = both { "or" both }
    both        = opposite { "and" opposite }
    opposite    = "not" opposite | lasting
    lasting     = one [ "for" duration ]
    one         = "(" either ")" | "no" "face" | "face" | "faces" compare whole-number
                | [ "any" ] emotion [ compare score ]
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from fer_edge.errors import UsageError

__all__ = [
    "And",
    "Condition",
    "EmotionIs",
    "FaceCount",
    "Lasting",
    "NoFace",
    "Not",
    "Or",
    "Rule",
    "parse_rule",
]

Operator = Literal[">", ">=", "<", "<=", "==", "!="]

_MOST_CHARACTERS: Final = 1000
_MOST_NESTED: Final = 20
_LONGEST_S: Final = 7 * 86_400.0
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_KEYWORDS: Final = ("and", "or", "not", "for", "every", "any", "no", "face", "faces")
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<unit>%|[a-z]+)?"
    r"|(?P<word>[^\W\d][\w-]*)|(?P<quoted>\"[^\"]*\"|'[^']*')|(?P<sign>>=|<=|==|!=|[()><=]))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class EmotionIs:
    """A face's score of an emotion compares so with a number, or the emotion is its highest, without an operator.

    ``anyone``: some face's does, whichever.
    """

    label: str
    operator: Operator | None = None
    score: float = 0.0
    anyone: bool = False


@dataclass(frozen=True, slots=True)
class FaceCount:
    """The number of faces in view compares so with a number."""

    operator: Operator
    number: int


@dataclass(frozen=True, slots=True)
class NoFace:
    """No face is in view."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """A condition that has held for so long.

    ``per_face``: it is about each face by itself. Worked out once, since it is asked for in every frame.
    """

    condition: Condition
    seconds: float
    per_face: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "per_face", _is_per_face(self.condition))


@dataclass(frozen=True, slots=True)
class Not:
    """A condition that does not hold."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class And:
    """All of some conditions hold."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of some conditions holds."""

    conditions: tuple[Condition, ...]


Condition = EmotionIs | FaceCount | NoFace | Lasting | Not | And | Or


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition as it was written, and the least time between two of its events, in seconds.

    ``per_face``: it is about each face by itself, since it names an emotion without ``any``.
    """

    text: str
    condition: Condition
    every_s: float | None = None
    per_face: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "per_face", _is_per_face(self.condition))


def parse_rule(text: str, labels: Sequence[str]) -> Rule:
    """Parse a rule about a model's labels; raises UsageError that says where it is wrong."""
    if len(text) > _MOST_CHARACTERS:
        raise UsageError(
            f"a rule has at most {_MOST_CHARACTERS:,} characters, this one {len(text):,}; make two of it"
        )
    return _Parser(text, labels).parse()


def walk(condition: Condition) -> Iterator[Condition]:
    """A condition and all that it is made of."""
    yield condition
    match condition:
        case Lasting(condition=inner) | Not(condition=inner):
            yield from walk(inner)
        case And(conditions=parts) | Or(conditions=parts):
            for part in parts:
                yield from walk(part)


def _is_per_face(condition: Condition) -> bool:
    return any(isinstance(part, EmotionIs) and not part.anyone for part in walk(condition))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    unit: str = ""

    @property
    def word(self) -> str:
        """A word in small letters; of anything else nothing."""
        return self.text.lower() if self.kind == "word" else ""


class _Parser:
    def __init__(self, text: str, labels: Sequence[str]) -> None:
        self._text, self._labels = text, labels
        self._tokens = self._split()
        self._next = self._depth = 0

    def parse(self) -> Rule:
        condition = self._either()
        every_s = self._duration() if self._take("every") else None
        if self._token.kind != "end":
            raise self._error('expected "and", "or", "for", "every" or the end')
        return Rule(self._text, condition, every_s)

    def _split(self) -> list[_Token]:
        tokens, at = [], 0
        end = len(self._text.rstrip())
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None:
                start = at + len(self._text[at:]) - len(self._text[at:].lstrip())
                raise self._error("a character that no rule has", start)
            kind = match.lastgroup if match.lastgroup != "unit" else "number"
            assert kind is not None
            tokens.append(_Token(kind, match[kind], match.start(kind), (match["unit"] or "").lower()))
            at = match.end()
        return [*tokens, _Token("end", "", end)]

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *words: str) -> bool:
        """Whether the next token is one of these words or signs, which is then passed."""
        found = self._token.word in words or (self._token.kind == "sign" and self._token.text in words)
        self._next += found
        return found

    def _error(self, what: str, start: int | None = None) -> UsageError:
        at = self._token.start if start is None else start
        rest = self._text[at : at + 20]
        where = f"at {rest!r}, character {at + 1}" if rest.strip() else "at its end"
        return UsageError(f"rule {self._text!r}: {what} {where}")

    def _either(self) -> Condition:
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise self._error(f"more than {_MOST_NESTED} parentheses in one another")
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self) -> Condition:
        parts = [self._opposite()]
        while self._take("and"):
            parts.append(self._opposite())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _opposite(self) -> Condition:
        negated = False
        while self._take("not"):
            negated = not negated
        condition = self._lasting()
        return Not(condition) if negated else condition

    def _lasting(self) -> Condition:
        condition = self._one()
        return Lasting(condition, self._duration()) if self._take("for") else condition

    def _one(self) -> Condition:
        if self._take("("):
            condition = self._either()
            if not self._take(")"):
                raise self._error('expected ")"')
            return condition
        if self._take("no"):
            if not self._take("face", "faces"):
                raise self._error('expected "face" after "no"')
            return NoFace()
        if self._take("face"):
            return FaceCount(">=", 1)
        if self._take("faces"):
            return self._face_count()
        return self._emotion(anyone=self._take("any"))

    def _face_count(self) -> FaceCount:
        operator = self._operator()
        if operator is None:
            raise self._error('expected a comparison after "faces", such as faces >= 3')
        number = self._token
        if number.kind != "number" or number.unit or not number.text.isdecimal():
            raise self._error("expected a whole number of faces")
        count = int(number.text)
        if (operator, count) == ("<", 0):
            raise self._error("there are never fewer faces than none; write no face")
        self._next += 1
        return FaceCount(operator, count)

    def _emotion(self, *, anyone: bool) -> EmotionIs:
        label = self._label()
        at = self._token.start
        operator = self._operator()
        if operator is None:
            return EmotionIs(label, anyone=anyone)
        if operator in ("==", "!="):
            raise self._error(f"a score is never exactly a number; write {label} > 0.8 or <", at)
        at = self._token.start
        score = self._score()
        if (operator, score) in ((">", 1), ("<", 0)):
            raise self._error("no score is above 1 or below 0; the rule would never come true", at)
        return EmotionIs(label, operator, score, anyone)

    def _label(self) -> str:
        token = self._token
        name = token.text[1:-1] if token.kind == "quoted" else token.text
        if token.kind not in ("word", "quoted") or token.word in _KEYWORDS:
            raise self._error("expected an emotion, faces, no face or a parenthesis")
        found = [label for label in self._labels if label == name] or [
            label for label in self._labels if label.casefold() == name.casefold()
        ]
        if len(found) != 1:
            near = difflib.get_close_matches(name.casefold(), self._labels, 1)
            hint = f"did you mean {near[0]}? The" if near else "the"
            raise self._error(f"unknown emotion; {hint} model knows {', '.join(self._labels)};")
        self._next += 1
        return found[0]

    def _operator(self) -> Operator | None:
        token = self._token
        if token.kind != "sign" or token.text in "()":
            return None
        self._next += 1
        operator: Operator = "==" if token.text == "=" else token.text  # type: ignore[assignment]
        return operator

    def _score(self) -> float:
        token = self._token
        if token.kind != "number" or token.unit not in ("", "%"):
            raise self._error("expected a score between 0 and 1, such as 0.8 or 80%")
        score = float(token.text) / (100 if token.unit else 1)
        if not 0 <= score <= 1:
            raise self._error("scores are between 0 and 1, this is more")
        self._next += 1
        return score

    def _duration(self) -> float:
        token = self._token
        unit = token.unit
        if token.kind == "number" and not unit and self._tokens[self._next + 1].word in _UNITS_S:
            self._next += 1
            unit = self._token.word
        if token.kind != "number" or unit not in _UNITS_S:
            raise self._error("expected a time with its unit, such as 500ms, 2s, 5m or 1h", token.start)
        seconds = float(token.text) * _UNITS_S[unit]
        if not 0 < seconds <= _LONGEST_S:
            raise self._error("expected a time above 0 and of seven days at most", token.start)
        self._next += 1
        return seconds
