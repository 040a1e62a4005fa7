"""The results of a benchmark, as text and as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fer_edge.benchmark.report import BenchmarkReport, build_report_summary, render_report
from tests.edge.benchmark.measurements import measured, model_file


def make_report(**changes: Any) -> BenchmarkReport:
    model = model_file("int8")
    plain = BenchmarkReport(
        video="clip.mp4",
        models={"int8.tflite": model},
        memory={"int8.tflite": 150_000_000},
        measurements=[measured(model, 1.0, 200)],
        temperatures=(None, None),
        throttling=None,
    )
    return replace(plain, **changes)


def test_leaves_out_what_the_machine_does_not_tell() -> None:
    report = make_report(memory={"int8.tflite": None})
    text = "\n".join(render_report(report))
    assert not any(word in text for word in ("Temperature", "Throttled", "memory"))
    summary = build_report_summary(report)
    assert set(summary["device"]) == {"machine", "processors"}
    assert summary["models"][0]["peak_memory_bytes"] is None


def test_gives_temperature_and_throttling_where_there_are() -> None:
    report = make_report(temperatures=(50.25, 71.0), throttling=("throttled", "under-voltage earlier"))
    text = "\n".join(render_report(report))
    assert "50.2 °C before, 71.0 °C after" in text
    assert "Throttled by: throttled, under-voltage earlier" in text
    device = build_report_summary(report)["device"]
    assert device["temperature_c"] == {"before": 50.25, "after": 71.0}
    assert device["throttling"] == ["throttled", "under-voltage earlier"]


def test_throttling_is_not_mentioned_unless_it_occurs() -> None:
    report = make_report(throttling=())
    assert "Throttled" not in "\n".join(render_report(report))
    assert build_report_summary(report)["device"]["throttling"] == []


def test_says_when_no_face_was_found() -> None:
    faceless = replace(make_report().measurements[0], faces=0)
    assert any("No face" in line for line in render_report(make_report(measurements=[faceless])))
    assert not any("No face" in line for line in render_report(make_report()))
