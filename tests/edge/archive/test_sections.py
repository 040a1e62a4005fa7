from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from fer_edge.archive.options import LEAD_S, AnalysisOptions
from fer_edge.archive.sections import cut, plan_sections
from fer_edge.sources.base import Span
from tests.edge.archive.videos import write_faces

KEYS = [float(second) for second in range(0, 1000, 2)]


@pytest.mark.parametrize(("end_s", "count"), [(0.5, 0), (99, 0), (120, 0), (130, 2), (1000, 10)])
def test_the_number_of_sections(end_s: float, count: int) -> None:
    assert len(cut(AnalysisOptions(section_s=100), end_s, KEYS)) == count


def test_sections_follow_one_another_and_lead_in_from_key_frames() -> None:
    sections = cut(AnalysisOptions(section_s=100), 1000, KEYS)
    assert sections[0].read_s == sections[0].begin_s == 0
    assert sections[-1].end_s is None
    for before, section in pairwise(sections):
        assert before.end_s == section.begin_s
        assert section.begin_s - section.read_s == LEAD_S
        assert section.read_s % 2 == 0.5  # just after a key frame


def test_without_key_frames_there_are_few_sections() -> None:
    assert len(cut(AnalysisOptions(section_s=10), 10_000, None)) == 12


def test_a_span_is_cut_within_its_bounds() -> None:
    sections = cut(AnalysisOptions(section_s=100, span=Span(50, 400)), 400, KEYS)
    assert (sections[0].begin_s, sections[-1].end_s) == (50, 400)


def test_no_span_of_averages_lies_in_two_sections() -> None:
    for section in cut(AnalysisOptions(section_s=100, every=7.0), 1000, KEYS):
        assert section.begin_s % 7 == 0
        assert section.begin_s - section.read_s >= LEAD_S or not section.number


def test_key_frames_that_are_far_apart() -> None:
    sections = cut(AnalysisOptions(section_s=100), 1000, [0.0, 500.0])
    begins = [section.begin_s for section in sections]
    assert begins == sorted(set(begins))
    assert len(begins) == 10


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_real_videos_are_cut(tmp_path: Path, suffix: str) -> None:
    video = write_faces(tmp_path / f"video{suffix}", 20)
    assert len(plan_sections(str(video), AnalysisOptions(section_s=8))) == 3
    assert len(plan_sections(str(video), AnalysisOptions(section_s=0))) == 1
