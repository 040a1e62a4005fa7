"""The syntax of rules, and error messages that point to the mistake."""

from __future__ import annotations

import pytest

from fer_edge.errors import UsageError
from fer_edge.events.rules import And, Condition, EmotionIs, FaceCount, Lasting, NoFace, Not, Or, parse_rule

LABELS = ("angry", "happy", "sad", "very happy", "any", "Überrascht", "non-face")

HAPPY = EmotionIs("happy", ">", 0.8)
SAD = EmotionIs("sad", ">", 0.5)


@pytest.mark.parametrize(
    ("text", "condition", "every_s"),
    [
        ("happy > 0.8 for 2s", Lasting(HAPPY, 2.0), None),
        ("any sad >= 0.6 for 5s", Lasting(EmotionIs("sad", ">=", 0.6, anyone=True), 5.0), None),
        ("faces >= 3", FaceCount(">=", 3), None),
        ("faces == 0", FaceCount("==", 0), None),
        ("faces = 2", FaceCount("==", 2), None),
        ("faces != 1", FaceCount("!=", 1), None),
        ("no face for 60s", Lasting(NoFace(), 60.0), None),
        ("no faces", NoFace(), None),
        ("face", FaceCount(">=", 1), None),
        ("happy", EmotionIs("happy"), None),
        ("any happy", EmotionIs("happy", anyone=True), None),
        ("happy > 80%", HAPPY, None),
        ("happy > .8 every 10s", HAPPY, 10.0),
        ("HAPPY > 0.8 FOR 2S EVERY 1M", Lasting(HAPPY, 2.0), 60.0),
        ("  happy>0.8 for 500ms ", Lasting(HAPPY, 0.5), None),
        ("happy > 0.8 for 1.5 min", Lasting(HAPPY, 90.0), None),
        ("happy > 0.8 for 1h", Lasting(HAPPY, 3600.0), None),
        ("not happy > 0.8", Not(HAPPY), None),
        ("not not happy > 0.8", HAPPY, None),
        ("happy > 0.8 and sad > 0.5 or faces > 1", Or((And((HAPPY, SAD)), FaceCount(">", 1))), None),
        ("happy > 0.8 and (sad > 0.5 or faces > 1)", And((HAPPY, Or((SAD, FaceCount(">", 1))))), None),
        ("(happy > 0.8 or sad > 0.5) for 2s", Lasting(Or((HAPPY, SAD)), 2.0), None),
        ("happy > 0.8 or sad > 0.5 for 2s", Or((HAPPY, Lasting(SAD, 2.0))), None),
        ("not happy > 0.8 for 2s", Not(Lasting(HAPPY, 2.0)), None),
        ("'very happy' < 0.2", EmotionIs("very happy", "<", 0.2), None),
        ('any "any" <= 1', EmotionIs("any", "<=", 1.0, anyone=True), None),
        ("überrascht > 0.5", EmotionIs("Überrascht", ">", 0.5), None),
        ("non-face > 0", EmotionIs("non-face", ">", 0.0), None),
    ],
)
def test_a_rule_says(text: str, condition: Condition, every_s: float | None) -> None:
    rule = parse_rule(text, LABELS)
    assert (rule.condition, rule.every_s, rule.text) == (condition, every_s, text)


@pytest.mark.parametrize(
    ("text", "per_face"),
    [
        ("happy > 0.8 for 2s", True),
        ("any happy > 0.8", False),
        ("no face", False),
        ("faces > 1 and not happy", True),
        ("faces > 1 and any happy", False),
    ],
)
def test_it_is_about_each_face_where_an_emotion_is_named_without_any(text: str, per_face: bool) -> None:
    assert parse_rule(text, LABELS).per_face == per_face


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("", "expected an emotion", "at the end"),
        ("   ", "expected an emotion", "at the end"),
        (
            "hapy > 0.8",
            "did you mean happy? The model has angry, happy, sad",
            "at 'hapy > 0.8', character 1",
        ),
        ("bored", "the model has", "unknown emotion at 'bored', character 1; "),
        (
            "happy > 0.8 fro 2s",  # codespell:ignore
            'expected "and", "or", "for", "every" or the end',
            "at 'fro 2s', character 13",
        ),
        ("happy > 80", "between 0 and 1", "at '80', character 9"),
        ("happy > -0.5", "unexpected character", "at '-0.5', character 9"),
        ("happy > 120%", "between 0 and 1", "character 9"),
        ("happy > 100%", "would never be true", "at '100%', character 9"),
        ("any happy < 0", "would never be true", "at '0', character 13"),
        ("faces < 0", "a face count cannot be below 0", "at '0', character 9"),
        ("happy >", "expected a score", "at the end"),
        ("happy > sad", "expected a score", "at 'sad', character 9"),
        ("happy == 0.8", "cannot be compared with ==", "at '== 0.8', character 7"),
        ("happy > 0.8 for", "expected a time", "at the end"),
        ("happy > 0.8 for 2", "with a unit", "at '2', character 17"),
        ("happy > 0.8 for 2 weeks", "with a unit", "at '2 weeks', character 17"),
        ("happy > 0.8 for 0s", "above 0", "at '0s', character 17"),
        ("happy > 0.8 for 9999999h", "seven days", "character 17"),
        ("happy > 0.8 every 2s for 2s", "or the end", "at 'for 2s', character 22"),
        ("(happy > 0.8", 'expected ")"', "at the end"),
        ("happy > 0.8)", "or the end", "at ')', character 12"),
        ("()", "expected an emotion", "at ')', character 2"),
        ("faces", "a comparison", "at the end"),
        ("faces > 2.5", "whole number", "at '2.5', character 9"),
        ("faces > 2s", "whole number", "at '2s', character 9"),
        ("no happy", 'expected "face"', "at 'happy', character 4"),
        ("any faces > 2", "expected an emotion", "at 'faces > 2', character 5"),
        ("happy > 0.8 and", "expected an emotion", "at the end"),
        ("happy > 0.8 sad > 0.5", "or the end", "at 'sad > 0.5', character 13"),
        ("happy & sad", "unexpected character", "at '& sad', character 7"),
        ("happy\x00", "unexpected character", "character 6"),
        ("'happy > 0.8", "unexpected character", "character 1"),
        ("happy ≥ 0.8", "unexpected character", "character 7"),
        ("(" * 30 + "happy" + ")" * 30, "nested parentheses", "character 21"),
        ("not " * 50, "expected an emotion", "at the end"),
    ],
)
def test_what_is_wrong_is_pointed_at(text: str, what: str, where: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_rule(text, LABELS)
    assert what in str(caught.value)
    assert where in str(caught.value)
    assert repr(text) in str(caught.value)


def test_a_rule_has_an_end() -> None:
    with pytest.raises(UsageError, match=r"has 10,000 characters, but at most 1,000"):
        parse_rule("(" * 10_000, LABELS)
    long = " or ".join(["happy > 0.8"] * 60)
    assert isinstance(parse_rule(long, LABELS).condition, Or)
