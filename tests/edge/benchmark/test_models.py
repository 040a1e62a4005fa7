"""Model measurements: the figures, and the input they are measured on."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.benchmark.models import WARM_UP, Measurement, list_thread_counts, measure_models
from fer_edge.errors import SourceError
from fer_edge.models.find_model import find_model
from tests.edge.support import plain, write_video


def blank_video(path: Path, frames: int) -> Path:
    """Write a small video of a gray wall, without a face."""
    return write_video(path, [plain(128, 320, 240)] * frames, 30, size=(320, 240))


@pytest.mark.parametrize(
    ("most", "counts"),
    [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (6, [1, 2, 3, 4, 6]), (32, [1, 2, 3, 4, 8, 16, 32])],
)
def test_thread_counts_end_with_the_most(most: int, counts: list[int]) -> None:
    assert list_thread_counts(most) == counts


def test_a_short_video_is_measured_as_far_as_it_goes(tmp_path: Path) -> None:
    video = blank_video(tmp_path / "short.mp4", 2 * WARM_UP + 5)
    m = Measurement("default", find_model(), 1)
    next(measure_models([m], str(video), tmp_path / "rows.jsonl"))
    assert (m.frames, m.faces, m.size) == (WARM_UP + 5, 0, (320, 240))
    assert len(m.rounds) == 1
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 2 * WARM_UP + 5


@pytest.mark.parametrize("threads", [1, 3])
def test_a_video_that_is_too_short_is_an_error(tmp_path: Path, threads: int) -> None:
    video = blank_video(tmp_path / "short.mp4", 2 * WARM_UP - 1)
    m = Measurement("default", find_model(), threads)
    with pytest.raises(SourceError, match=r"only 29 frames, but measuring needs at least 30"):
        next(measure_models([m], str(video), tmp_path / "rows.jsonl"))


def test_each_round_measures_every_model(tmp_path: Path) -> None:
    video = blank_video(tmp_path / "short.mp4", 2 * WARM_UP)
    both = [Measurement(name, find_model(), 2) for name in ("one", "other")]
    rounds = measure_models(both, str(video), tmp_path / "rows.jsonl")
    for number in range(2):
        assert next(rounds) == number
        assert [len(m.rounds) for m in both] == [number + 1] * 2
        assert both[0].inference.count == both[1].inference.count
