"""Metrics of a run in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Iterator

from fer_edge.sinks.http.live import LiveState

__all__ = ["METRICS_KIND", "format_metrics"]

METRICS_KIND = "text/plain; version=0.0.4; charset=utf-8"
"""https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format"""


def format_metrics(live: LiveState) -> bytes:
    """Return all metrics with help and type, as UTF-8."""
    return ("\n".join(_lines(live)) + "\n").encode("utf-8", "backslashreplace")


def _lines(live: LiveState) -> Iterator[str]:
    now = live.status()
    metrics: tuple[tuple[str, str, str, float | None], ...] = (
        ("frames_total", "counter", "Frames analyzed.", now["frames"]),
        (
            "frames_dropped_total",
            "counter",
            "Frames dropped in favor of newer ones.",
            now["frames_dropped"],
        ),
        ("reconnects_total", "counter", "Times the source was lost and came back.", now["reconnects"]),
        ("faces", "gauge", "Faces in view.", now["faces"]),
        ("frames_per_second", "gauge", "Frames analyzed per second.", now["fps"]),
        ("last_frame_age_seconds", "gauge", "Seconds since the last frame.", now["frame_age_s"]),
        ("temperature_celsius", "gauge", "Temperature of the processor.", now["temperature_c"]),
        ("viewers", "gauge", "Connections that receive images.", now["viewers"]),
    )
    for name, kind, text, value in metrics:
        if value is not None:
            yield from (
                f"# HELP fer_edge_{name} {text}",
                f"# TYPE fer_edge_{name} {kind}",
                f"fer_edge_{name} {value}",
            )
    if counts := live.rule_counts():
        yield "# HELP fer_edge_rule_events_total Events of each rule."
        yield "# TYPE fer_edge_rule_events_total counter"
        for rule, count in counts.items():
            yield f'fer_edge_rule_events_total{{rule="{_escape(rule)}"}} {count}'
    yield "# HELP fer_edge_emotion_share Share of each emotion among the faces in view."
    yield "# TYPE fer_edge_emotion_share gauge"
    for label, share in live.shares().items():
        yield f'fer_edge_emotion_share{{emotion="{_escape(label)}"}} {round(share, 6)}'


def _escape(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
