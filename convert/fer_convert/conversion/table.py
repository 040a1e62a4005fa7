"""Text output of a conversion's report."""

from __future__ import annotations

from typing import Final

from fer_convert.conversion.report import ConversionReport, FileReport
from fer_convert.formatting import format_percent
from fer_convert.verification.report import Metrics
from fer_convert.verification.table import format_latency
from fer_edge.runtime.tables import format_table
from fer_train.evaluation.report import format_interval
from fer_train.evaluation.statistics import SIGNIFICANCE

__all__ = ["format_conversion_table"]

_HEADER: Final = (
    "",
    "bytes",
    "accuracy",
    "95 % interval",
    "mean class",
    "drop, points",
    "top-1 agreement",
    "Δp mean",
    "Δp max",
    "ms, 1 and 2 threads",
)


def format_conversion_table(report: ConversionReport) -> str:
    """Format the report of a conversion as text."""
    blank = [""] * (len(_HEADER) - 5)
    rows = [
        ("Keras", "", *_format_accuracies(report["keras"]), *blank),
        *(_format_row(name, file) for name, file in report["files"].items()),
    ]
    lines = [
        f"{report['source']['name']} on {report['samples']:,} faces of {report['split']}",
        "",
        *format_table(_HEADER, rows),
    ]
    if drops := [_format_drop(name, file) for name, file in report["files"].items() if _is_drop(file)]:
        lines += ["", *drops]
    if calibration := report["calibration"]:
        per_class = ", ".join(f"{label} {count}" for label, count in calibration["per_class"].items())
        lines += ["", f"int8 calibrated on {calibration['samples']} faces of Training: {per_class}"]
    return "\n".join(lines)


def _format_row(name: str, file: FileReport) -> tuple[str, ...]:
    return (
        name,
        f"{file['bytes']:,}",
        *_format_accuracies(file),
        f"{file['accuracy_drop_points']:+.2f}",
        format_percent(file["top1_agreement"]),
        f"{file['mean_probability_difference']:.4f}",
        f"{file['max_probability_difference']:.3f}",
        format_latency(file["latency_ms"]),
    )


def _format_accuracies(metrics: Metrics) -> tuple[str, str, str]:
    return (
        format_percent(metrics["accuracy"]),
        format_interval(metrics["accuracy_interval"]),
        format_percent(metrics["mean_class_accuracy"]),
    )


def _is_drop(file: FileReport) -> bool:
    return file["accuracy_drop_points"] > 0


def _format_drop(name: str, file: FileReport) -> str:
    """State whether a loss of accuracy is significant, by McNemar's test."""
    p = file["drop_p_value"]
    verdict = "not significant" if p >= SIGNIFICANCE else "significant"
    return (
        f"{name}: the drop of {file['accuracy_drop_points']:.2f} points is {verdict} (McNemar, p = {p:.2g})"
    )
