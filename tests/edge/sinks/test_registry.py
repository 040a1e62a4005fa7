"""The sink for each target."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import OutputError, UsageError
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.csv import CsvSink
from fer_edge.sinks.images import ImageSink
from fer_edge.sinks.jsonl import JsonLinesSink
from fer_edge.sinks.registry import create_image_sink, create_row_sink, create_window
from fer_edge.sinks.video import VideoSink
from fer_edge.types import StreamInfo
from tests.edge.sinks.filling import STREAM, row_sink


@pytest.mark.parametrize("target", ["r.json", "r", "r.txt", "jsonl", ""])
def test_rows_in_another_format_are_refused(target: str) -> None:
    with pytest.raises(
        UsageError,
        match=r"suffix is one of jsonl, csv.* or - for standard output",
    ):
        row_sink(target)


def test_suffixes_may_be_in_capitals(tmp_path: Path) -> None:
    assert isinstance(row_sink(tmp_path / "R.CSV"), CsvSink)
    assert isinstance(row_sink(tmp_path / "R.JSONL"), JsonLinesSink)


def test_a_scheme_that_is_no_sink_s_is_part_of_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(row_sink("odd:name.csv"), CsvSink)


def test_annotated_images_go_where_their_kind_of_source_asks(tmp_path: Path) -> None:
    def made(name: str, stream: StreamInfo) -> object:
        return create_image_sink(SinkRequest(target=str(tmp_path / name), stream=stream, inputs=("a",)))

    assert isinstance(made("a.png", StreamInfo(name="a", still=True)), ImageSink)
    assert isinstance(made("a.mp4", STREAM), VideoSink)
    assert isinstance(made("a.mp4", StreamInfo(name="0", live=True)), VideoSink)


def test_rows_do_not_fit_into_a_video_and_a_video_is_no_rows() -> None:
    with pytest.raises(UsageError, match="unsupported video format"):
        create_image_sink(SinkRequest(target="a.jsonl", stream=STREAM))
    with pytest.raises(UsageError, match="unknown results format"):
        create_row_sink(SinkRequest(target="a.mp4", stream=STREAM))


def test_a_window_without_a_display_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(OutputError, match="no display found"):
        create_window(SinkRequest(target="", stream=STREAM, required=False))
