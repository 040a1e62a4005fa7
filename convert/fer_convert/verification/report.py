"""A conversion's and a verification's report as a person reads it."""

from __future__ import annotations

from typing import Any

from fer_edge.models.find_model import ModelFile
from fer_edge.runtime.tables import aligned

__all__ = ["conversion_table", "verification_table"]


def conversion_table(report: dict[str, Any]) -> str:
    """The report of :func:`fer_convert.conversion.convert` as lines of text."""
    header = (
        "",
        "bytes",
        "accuracy",
        "mean class",
        "lost",
        "agrees",
        "Δp mean",
        "Δp max",
        "ms, 1 and 2 threads",
    )
    keras = report["keras"]
    rows = [("Keras", "", _percent(keras["accuracy"]), _percent(keras["mean_class_accuracy"]), *[""] * 5)]
    for name, file in report["files"].items():
        rows.append(
            (
                name,
                f"{file['bytes']:,}",
                _percent(file["accuracy"]),
                _percent(file["mean_class_accuracy"]),
                f"{file['points_lost']:+.2f}",
                _percent(file["top1_agreement"]),
                f"{file['mean_probability_difference']:.4f}",
                f"{file['max_probability_difference']:.3f}",
                _latency(file["latency_ms"]),
            )
        )
    lines = [
        f"{report['source']['name']} on {report['samples']:,} faces of {report['split']}",
        "",
        *aligned(header, rows),
    ]
    if report["calibration"]:
        per_class = ", ".join(
            f"{label} {count}" for label, count in report["calibration"]["per_class"].items()
        )
        lines += ["", f"int8 calibrated on {report['calibration']['samples']} faces of Training: {per_class}"]
    return "\n".join(lines)


def verification_table(model: ModelFile, report: dict[str, Any]) -> str:
    """The report of :func:`fer_convert.verification.verify.verify` as lines of text."""
    labels, counts = report["confusion"]["labels"], report["confusion"]["counts"]
    rows = [
        (label, *map(str, row), _percent(row[i] / max(1, sum(row))))
        for i, (label, row) in enumerate(zip(labels, counts, strict=True))
    ]
    stated = model.spec.accuracy.get(report["split"], {}).get("accuracy")
    lines = [
        f"{model.path}: {model.spec.name}, {model.spec.variant}, {model.size:,} bytes",
        f"{_percent(report['accuracy'])} correct on {report['samples']:,} faces of {report['split']}"
        + (f" (its contract says {_percent(stated)})" if stated is not None else "")
        + f"; {_percent(report['mean_class_accuracy'])} as the mean of the classes",
        f"{_latency(report['latency_ms'])} ms a face on 1 and 2 threads",
        "",
        *aligned(("truth, answer", *labels, "correct"), rows),
    ]
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _latency(medians: dict[str, float]) -> str:
    return " / ".join(f"{milliseconds:.2f}" for milliseconds in medians.values())
