"""Parser for event rules such as ``happy > 0.8 for 2s``.

The grammar::

    rule        = condition [ "every" duration ]
    condition   = term { "or" term }
    term        = factor { "and" factor }
    factor      = "not" factor | lasting
    lasting     = primary [ "for" duration ]
    primary     = "(" condition ")" | "no" "face" | "face" | "faces" compare whole-number
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

_MAX_CHARACTERS: Final = 1000
_MAX_NESTED: Final = 20
_MAX_S: Final = 7 * 86_400.0
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_KEYWORDS: Final = ("and", "or", "not", "for", "every", "any", "no", "face", "faces")
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<unit>%|[a-z]+)?"
    r"|(?P<word>[^\W\d][\w-]*)|(?P<quoted>\"[^\"]*\"|'[^']*')|(?P<sign>>=|<=|==|!=|[()><=]))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class EmotionIs:
    """True if a face's score for an emotion meets a comparison.

    Without an operator: true if the emotion has the face's highest score. ``anyone``: true if this holds for
    at least one face in view.
    """

    label: str
    operator: Operator | None = None
    score: float = 0.0
    anyone: bool = False


@dataclass(frozen=True, slots=True)
class FaceCount:
    """True if the number of faces in view meets a comparison."""

    operator: Operator
    number: int


@dataclass(frozen=True, slots=True)
class NoFace:
    """True if no face is in view."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """True if a condition has held for a number of seconds.

    ``per_face``: the condition is about each face separately. Computed once, because every frame needs it.
    """

    condition: Condition
    seconds: float
    per_face: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "per_face", _is_per_face(self.condition))


@dataclass(frozen=True, slots=True)
class Not:
    """True if a condition does not hold."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class And:
    """True if all of the conditions hold."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True if at least one of the conditions holds."""

    conditions: tuple[Condition, ...]


Condition = EmotionIs | FaceCount | NoFace | Lasting | Not | And | Or


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule.

    ``text`` is the rule as the user wrote it, ``every_s`` the minimum time between two of its events in
    seconds. ``per_face``: the rule is about each face separately, because it names an emotion without
    ``any``.
    """

    text: str
    condition: Condition
    every_s: float | None = None
    per_face: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "per_face", _is_per_face(self.condition))


def parse_rule(text: str, labels: Sequence[str]) -> Rule:
    """Parse a rule for a model's labels; raises UsageError that points at the mistake."""
    if len(text) > _MAX_CHARACTERS:
        raise UsageError(
            f"the rule has {len(text):,} characters, but at most {_MAX_CHARACTERS:,} are allowed; split it up"
        )
    return _Parser(text, labels).parse()


def walk(condition: Condition) -> Iterator[Condition]:
    """Yield a condition and all conditions inside it."""
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
        """The token in lower case if it is a word, otherwise an empty string."""
        return self.text.lower() if self.kind == "word" else ""


class _Parser:
    def __init__(self, text: str, labels: Sequence[str]) -> None:
        self._text, self._labels = text, labels
        self._tokens = self._tokenize()
        self._next = self._depth = 0

    def parse(self) -> Rule:
        condition = self._parse_or()
        every_s = self._parse_duration() if self._take("every") else None
        if self._token.kind != "end":
            raise self._error('expected "and", "or", "for", "every" or the end')
        return Rule(self._text, condition, every_s)

    def _tokenize(self) -> list[_Token]:
        tokens, at = [], 0
        end = len(self._text.rstrip())
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None:
                start = at + len(self._text[at:]) - len(self._text[at:].lstrip())
                raise self._error("unexpected character", start)
            kind = match.lastgroup if match.lastgroup != "unit" else "number"
            assert kind is not None
            tokens.append(_Token(kind, match[kind], match.start(kind), (match["unit"] or "").lower()))
            at = match.end()
        return [*tokens, _Token("end", "", end)]

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *words: str) -> bool:
        """Consume the next token if it is one of these; return whether it was."""
        found = self._token.word in words or (self._token.kind == "sign" and self._token.text in words)
        self._next += found
        return found

    def _error(self, what: str, start: int | None = None, remedy: str = "") -> UsageError:
        at = self._token.start if start is None else start
        rest = self._text[at : at + 20]
        where = f"at {rest!r}, character {at + 1}" if rest.strip() else "at the end"
        return UsageError(f"rule {self._text!r}: {what} {where}{remedy and f'; {remedy}'}")

    def _parse_or(self) -> Condition:
        self._depth += 1
        if self._depth > _MAX_NESTED:
            raise self._error(f"more than {_MAX_NESTED} nested parentheses")
        parts = [self._parse_and()]
        while self._take("or"):
            parts.append(self._parse_and())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _parse_and(self) -> Condition:
        parts = [self._parse_not()]
        while self._take("and"):
            parts.append(self._parse_not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _parse_not(self) -> Condition:
        negated = False
        while self._take("not"):
            negated = not negated
        condition = self._parse_for()
        return Not(condition) if negated else condition

    def _parse_for(self) -> Condition:
        condition = self._parse_primary()
        return Lasting(condition, self._parse_duration()) if self._take("for") else condition

    def _parse_primary(self) -> Condition:
        if self._take("("):
            condition = self._parse_or()
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
            return self._parse_face_count()
        return self._parse_emotion(anyone=self._take("any"))

    def _parse_face_count(self) -> FaceCount:
        operator = self._parse_operator()
        if operator is None:
            raise self._error('expected a comparison after "faces", such as faces >= 3,')
        number = self._token
        if number.kind != "number" or number.unit or not number.text.isdecimal():
            raise self._error("expected a whole number of faces")
        count = int(number.text)
        if (operator, count) == ("<", 0):
            raise self._error(
                "a face count cannot be below 0", remedy='to match an empty scene, write "no face"'
            )
        self._next += 1
        return FaceCount(operator, count)

    def _parse_emotion(self, *, anyone: bool) -> EmotionIs:
        label = self._parse_label()
        at = self._token.start
        operator = self._parse_operator()
        if operator is None:
            return EmotionIs(label, anyone=anyone)
        if operator in ("==", "!="):
            raise self._error("scores cannot be compared with == or !=", at, f"write {label} > 0.8 or < 0.8")
        at = self._token.start
        score = self._parse_score()
        if (operator, score) in ((">", 1), ("<", 0)):
            raise self._error("no score is above 1 or below 0; the rule would never be true", at)
        return EmotionIs(label, operator, score, anyone)

    def _parse_label(self) -> str:
        token = self._token
        name = token.text[1:-1] if token.kind == "quoted" else token.text
        if token.kind not in ("word", "quoted") or token.word in _KEYWORDS:
            raise self._error('expected an emotion, "faces", "no face" or a parenthesis')
        found = [label for label in self._labels if label == name] or [
            label for label in self._labels if label.casefold() == name.casefold()
        ]
        if len(found) != 1:
            near = difflib.get_close_matches(name.casefold(), self._labels, 1)
            hint = f"did you mean {near[0]}? The" if near else "the"
            raise self._error("unknown emotion", remedy=f"{hint} model has {', '.join(self._labels)}")
        self._next += 1
        return found[0]

    def _parse_operator(self) -> Operator | None:
        token = self._token
        if token.kind != "sign" or token.text in "()":
            return None
        self._next += 1
        operator: Operator = "==" if token.text == "=" else token.text  # type: ignore[assignment]
        return operator

    def _parse_score(self) -> float:
        token = self._token
        if token.kind != "number" or token.unit not in ("", "%"):
            raise self._error("expected a score between 0 and 1, such as 0.8 or 80%,")
        score = float(token.text) / (100 if token.unit else 1)
        if not 0 <= score <= 1:
            raise self._error("expected a score between 0 and 1")
        self._next += 1
        return score

    def _parse_duration(self) -> float:
        token = self._token
        unit = token.unit
        if token.kind == "number" and not unit and self._tokens[self._next + 1].word in _UNITS_S:
            self._next += 1
            unit = self._token.word
        if token.kind != "number" or unit not in _UNITS_S:
            raise self._error("expected a time with a unit, such as 500ms, 2s, 5m or 1h,", token.start)
        seconds = float(token.text) * _UNITS_S[unit]
        if not 0 < seconds <= _MAX_S:
            raise self._error("expected a time above 0 and up to seven days", token.start)
        self._next += 1
        return seconds
