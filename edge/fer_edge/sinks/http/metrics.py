"""A run's figures in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator

from fer_edge.sinks.http.live import LiveState

__all__ = ["METRICS_KIND", "format_metrics"]

METRICS_KIND = "text/plain; version=0.0.4; charset=utf-8"
"""https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format"""


def format_metrics(live: LiveState) -> bytes:
    """Every figure with its help and type."""
    return ("\n".join(_lines(live)) + "\n").encode("utf-8", "backslashreplace")


def _lines(live: LiveState) -> Iterator[str]:
    now = live.status()
    figures: tuple[tuple[str, str, str, float | None], ...] = (
        ("frames_total", "counter", "Frames that were analysed.", now["frames"]),
        (
            "frames_dropped_total",
            "counter",
            "Frames that were replaced by newer ones.",
            now["frames_dropped"],
        ),
        ("reconnects_total", "counter", "How often the source was lost and came back.", now["reconnects"]),
        ("faces", "gauge", "Faces in view.", now["faces"]),
        ("frames_per_second", "gauge", "Frames analysed per second.", now["fps"]),
        ("last_frame_age_seconds", "gauge", "Seconds since the last frame.", now["frame_age_s"]),
        ("temperature_celsius", "gauge", "The processor's temperature.", now["temperature_c"]),
        ("viewers", "gauge", "Connections that watch the image.", now["viewers"]),
    )
    for name, kind, text, value in figures:
        if value is not None:
            yield from (
                f"# HELP fer_edge_{name} {text}",
                f"# TYPE fer_edge_{name} {kind}",
                f"fer_edge_{name} {value}",
            )
    if counts := live.rule_counts():
        yield "# HELP fer_edge_rule_events_total How often each rule came true."
        yield "# TYPE fer_edge_rule_events_total counter"
        for rule, count in counts.items():
            yield f'fer_edge_rule_events_total{{rule="{_escape(rule)}"}} {count}'
    yield "# HELP fer_edge_emotion_share Each emotion's share of the faces in view."
    yield "# TYPE fer_edge_emotion_share gauge"
    for label, share in live.shares().items():
        yield f'fer_edge_emotion_share{{emotion="{_escape(label)}"}} {round(share, 6)}'


def _escape(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
