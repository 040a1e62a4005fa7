"""The recipes in docs/events.md: each command runs and emits the documented events."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from fer_edge.events.dispatch import EventDispatcher
from fer_edge.events.engine import Event
from fer_edge.events.rules import parse_rule
from fer_edge.models.find_model import find_model
from fer_edge.types import Detection, EmotionScores, FaceBox, FaceResult, Frame, FrameResult
from tests.edge.support import run_fer_edge

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/events.md"
PROGRAMS = ("logger", "notify-send", "paplay", "xset")
LABELS = find_model().spec.labels
RATE = 5

# Seconds and emotions: empty; one person; three laugh; one is angry; all calm; two are sad; empty.
SCENES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (65, ()),
    (5, ("neutral",)),
    (10, ("happy", "happy", "happy")),
    (5, ("angry", "happy")),
    (70, ("neutral", "surprise")),
    (20, ("sad", "sad")),
    (12, ()),
)

# In whole seconds, the times of the events: laughter begins at 70 s, anger at 80, calm at 85, sadness at 155.
EVENTS = {
    "happy > 0.8 for 1s every 10s": [71, 81],  # the second one who laughs has to wait
    "any sad >= 0.6 for 5s every 5m": [160],
    "no face for 60s": [60],
    "face": [65],
    "faces >= 3 and any happy > 0.9 for 1s every 1m": [71],
    "surprise > 0.7": [85],
    "happy > 0.8 for 2s": [72, 72, 72],
    "(faces >= 2 and not any sad) for 10s": [80],
    "(faces >= 2 and any sad) for 10s": [165],
    "face for 1s": [66],
    "no face for 10s": [10, 184],  # the last frame with a face is that of 174.8 s
    "(face and not (any angry > 0.5 or any sad > 0.5)) for 1m every 10m": [145],
    "happy > 0.8 for 1s": [71, 71, 71],
}


def recipes() -> list[list[str]]:
    """Return the commands in the document as argument lists."""
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    return [shlex.split(block.replace("\\\n", " ")) for block in blocks]


def face(number: int, label: str) -> FaceResult:
    values = tuple(0.94 if name == label else 0.01 for name in LABELS)
    scores = EmotionScores(LABELS, values)
    return FaceResult(number, Detection(FaceBox(0, 0, 9, 9)), scores, label)


def play() -> list[FrameResult]:
    """Yield the scenes as results."""
    shown = [faces for seconds, faces in SCENES for _ in range(seconds * RATE)]
    image = np.zeros((9, 9, 3), np.uint8)
    return [
        FrameResult(Frame(image, "0", n, n / RATE), tuple(face(i, label) for i, label in enumerate(faces)))
        for n, faces in enumerate(shown)
    ]


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def perform(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass


def test_there_are_at_least_ten_recipes() -> None:
    assert len(recipes()) >= 10


@pytest.mark.parametrize("arguments", recipes(), ids=lambda arguments: " ".join(arguments[1:6]))
def test_it_runs(arguments: list[str], clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROGRAMS:
        program = tmp_path / name
        program.write_text("#!/bin/sh\ncat\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert arguments[0] == "fer-edge"
    source = ["video", str(clip)]
    rest = arguments[3:] if arguments[1] == "video" else [a for a in arguments[2:] if a != "--no-show"]
    done = run_fer_edge(*source, *rest)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(
    "text",
    list(dict.fromkeys(b for each in recipes() for a, b in itertools.pairwise(each) if a == "--when")),
)
def test_a_recipe_emits_its_events(text: str) -> None:
    recorder = Recorder()
    dispatcher = EventDispatcher([(parse_rule(text, LABELS), recorder)])
    for result in play():
        dispatcher.handle_result(result)
    times = [event.result.frame.time_s for event in recorder.events]
    assert [int(time_s) for time_s in times if time_s is not None] == EVENTS[text]
