"""The recommendation of a benchmark."""

from __future__ import annotations

import pytest

from fer_edge.benchmark.models import Measurement
from fer_edge.benchmark.recommendation import recommend
from tests.edge.benchmark.measurements import measured, model_file


def test_int8_where_it_is_faster() -> None:
    fast, slow = measured(model_file("int8"), 1.0, 200), measured(model_file("float32"), 2.5, 150)
    chosen = recommend([slow, fast])
    assert chosen.model == "int8.tflite"
    assert "int8 is 2.5 times as fast as float32 on this machine (1.00 vs. 2.50 ms" in chosen.text


@pytest.mark.parametrize("float_ms", [0.5, 0.98, 1.0, 1.04])
def test_float_where_int8_is_not_faster_and_says_so(float_ms: float) -> None:
    int8, floating = (
        measured(model_file("int8"), 1.0, 200),
        measured(model_file("float32"), float_ms, 200),
    )
    chosen = recommend([int8, floating])
    assert chosen.model == "float32.tflite"
    assert "int8 is smaller but not faster than float32 on this machine" in chosen.text


@pytest.mark.parametrize(
    "measurements",
    [
        [measured(model_file("int8"), 1.0, 200)],
        [measured(model_file("float32"), 1.0, 200)],
        [
            measured(model_file("int8", "small"), 1.0, 200),
            measured(model_file("float32", "large"), 9.0, 90),
        ],
    ],
    ids=["int8 alone", "float alone", "different networks"],
)
def test_no_verdict_on_int8_without_both_files_of_a_network(measurements: list[Measurement]) -> None:
    chosen = recommend(measurements)
    assert chosen.model == measurements[0].name
    assert "measure both the int8 and the float32 file of a network" in chosen.text


@pytest.mark.parametrize(
    ("speeds", "threads"),
    [([100, 200, 300], 3), ([100, 200, 205], 2), ([100, 98, 90], 1), ([100], 1)],
)
def test_the_fewest_threads_that_make_the_most_of_it(speeds: list[float], threads: int) -> None:
    model = model_file("int8")
    turns = [measured(model, 1.0, fps, count) for count, fps in enumerate(speeds, 1)]
    chosen = recommend(turns)
    assert chosen.threads == threads
    assert f"--threads {threads}: {speeds[threads - 1]} frames a second" in chosen.text


def test_is_one_line() -> None:
    assert "\n" not in recommend([measured(model_file("int8"), 1.0, 200)]).text
