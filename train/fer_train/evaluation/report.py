"""Text output of evaluation reports."""

from __future__ import annotations

from typing import Any

from fer_edge.runtime.tables import format_table

__all__ = ["format_interval", "format_percent", "format_report"]


def format_report(report: dict[str, Any]) -> str:
    """Format a run's or an evaluation's report (``report.json``) as text."""
    calibration = report["calibration"]
    rows = [
        (
            label,
            f"{figures['support']:,}",
            format_percent(figures["precision"]),
            format_percent(figures["recall"]),
            format_interval(figures["recall_interval"]),
            format_percent(figures["f1"]),
        )
        for label, figures in report["per_class"].items()
    ]
    lines = [
        f"{report['model']} on {report['samples']:,} faces of {report['split']}",
        f"accuracy {format_percent(report['accuracy'])} "
        f"(95 % interval {format_interval(report['accuracy_interval'])}), "
        f"mean class accuracy {format_percent(report['mean_class_accuracy'])}",
        f"cross-entropy {report['loss']:.4f}, expected calibration error {calibration['ece']:.4f}",
        "",
        *format_table(("", "faces", "precision", "recall", "95 % interval", "F1"), rows),
    ]
    labels = report["confusion"]["labels"]
    if len(labels) <= 12:  # a larger matrix is readable only in the plot
        matrix = [
            (label, *map(str, counts))
            for label, counts in zip(labels, report["confusion"]["counts"], strict=True)
        ]
        lines += ["", *format_table(("true, predicted", *labels), matrix)]
    return "\n".join(lines)


def format_interval(interval: list[float] | None) -> str:
    """Format an interval of shares, such as ``61.2–68.9 %``, or a dash for None."""
    return "–" if interval is None else f"{100 * interval[0]:.1f}–{100 * interval[1]:.1f} %"


def format_percent(share: float | None) -> str:
    """Format a share as a percentage, or a dash for None."""
    return "–" if share is None else f"{100 * share:.1f} %"
