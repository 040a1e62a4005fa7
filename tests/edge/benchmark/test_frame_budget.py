"""The number of faces a model can process per camera frame, and the best model a device can afford."""

from __future__ import annotations

import pytest

from fer_edge.benchmark.frame_budget import measure_budgets
from fer_edge.benchmark.models import Measurement
from fer_edge.benchmark.recommendation import recommend
from fer_edge.benchmark.report import build_report_summary, render_report
from tests.edge.benchmark.measurements import measured, model_file
from tests.edge.benchmark.test_report import make_report


def two_networks(large_ms: float, large_fps: float, large_accuracy: float = 0.71) -> list[Measurement]:
    """Return measurements of a small network (1 ms, 70 %) and a large one, with one face per frame."""
    return [
        measured(model_file("int8", "small", 0.70), 1.0, 200, name="default"),
        measured(model_file("int8", "large", large_accuracy), large_ms, large_fps, name="accurate"),
    ]


@pytest.mark.parametrize(
    ("ms", "fps", "faces"),
    [
        (1.0, 200, 29),  # 33.3 - 5 ms leave time for 28 faces in addition to the measured one
        (6.0, 100, 4),
        (35.0, 31, 1),
        (35.0, 25, 0),  # with one face already slower than the camera
    ],
)
def test_faces_are_those_measured_and_those_that_fit_into_the_time_left(
    ms: float, fps: float, faces: int
) -> None:
    (budget,) = measure_budgets([measured(model_file("int8"), ms, fps)])
    assert budget.faces == {1: faces}
    assert budget.most_faces == faces


def test_one_thread_and_the_most_threads_are_counted() -> None:
    model = model_file("int8")
    turns = [measured(model, 10.0, fps, threads) for threads, fps in ((1, 40), (2, 60), (4, 100))]
    (budget,) = measure_budgets(turns)
    assert budget.faces == {1: 1, 4: 3}


def test_the_more_accurate_model_where_it_keeps_up() -> None:
    chosen = recommend(two_networks(6.0, 100))
    assert chosen.model == "accurate"
    assert "correct more often than default (71.0 vs. 70.0 % on PublicTest)" in chosen.text
    assert "time for 4 faces in each frame of a camera at 30 frames a second" in chosen.text


@pytest.mark.parametrize(("fps", "words"), [(31, "has time for 1 face in"), (25, "has time for no face in")])
def test_the_fast_model_where_the_accurate_one_does_not_keep_up(fps: float, words: str) -> None:
    chosen = recommend(two_networks(35.0, fps))
    assert chosen.model == "default"
    assert words in chosen.text
    assert "accurate is correct more often" in chosen.text
    assert "use it for images and recorded videos" in chosen.text


def test_the_fast_model_where_neither_is_more_accurate() -> None:
    chosen = recommend(two_networks(6.0, 100, large_accuracy=0.70))
    assert chosen.model == "default"
    assert "as accurate as accurate" in chosen.text


def test_the_fastest_model_where_none_keeps_up() -> None:
    slow = [
        measured(model_file("int8", "small", 0.70), 60.0, 10, name="default"),
        measured(model_file("int8", "large", 0.71), 300.0, 3, name="accurate"),
    ]
    assert recommend(slow).model == "default"


def test_the_report_lists_the_faces_of_each_model() -> None:
    measurements = two_networks(6.0, 100)
    models = {m.name: m.model for m in measurements}
    report = make_report(models=models, memory=dict.fromkeys(models), measurements=measurements)
    text = render_report(report)
    start = next(
        index for index, line in enumerate(text) if line.startswith("Faces that can be classified per frame")
    )
    rows = [line.split() for line in text[start + 2 : start + 4]]
    assert [(name, faces) for name, _, faces in rows] == [("default", "29"), ("accurate", "4")]
    camera = build_report_summary(report)["camera"]
    assert camera["frames_per_second"] == 30
    assert [(model["file"], model["faces_a_frame"]) for model in camera["models"]] == [
        ("default", {"1": 29}),
        ("accurate", {"1": 4}),
    ]
    assert camera["models"][1]["accuracy"] == {"PublicTest": {"accuracy": 0.71}}
