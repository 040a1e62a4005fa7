"""Reports as a person reads them."""

from __future__ import annotations

from typing import Any

from fer_edge.runtime.tables import aligned

__all__ = ["percent", "report_table"]


def report_table(report: dict[str, Any]) -> str:
    """The report of a run or an evaluation (``report.json``) as lines of text."""
    calibration = report["calibration"]
    rows = [
        (
            label,
            f"{figures['support']:,}",
            percent(figures["precision"]),
            percent(figures["recall"]),
            percent(figures["f1"]),
        )
        for label, figures in report["per_class"].items()
    ]
    lines = [
        f"{report['model']} on {report['samples']:,} faces of {report['split']}",
        f"accuracy {percent(report['accuracy'])}, mean of the classes {percent(report['mean_class_accuracy'])}",
        f"cross-entropy {report['loss']:.4f}, expected calibration error {calibration['ece']:.4f}",
        "",
        *aligned(("", "faces", "precision", "recall", "F1"), rows),
    ]
    labels = report["confusion"]["labels"]
    if len(labels) <= 12:  # a wider matrix is for the picture
        matrix = [
            (label, *map(str, counts))
            for label, counts in zip(labels, report["confusion"]["counts"], strict=True)
        ]
        lines += ["", *aligned(("true, predicted", *labels), matrix)]
    return "\n".join(lines)


def percent(share: float | None) -> str:
    """A share as text, a dash where there is none."""
    return "–" if share is None else f"{100 * share:.1f} %"
