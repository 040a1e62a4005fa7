"""Text output of a verification's report."""

from __future__ import annotations

from fer_convert.formatting import format_percent
from fer_convert.verification.report import VerificationReport
from fer_edge.models.find_model import ModelFile
from fer_edge.runtime.tables import format_table
from fer_train.evaluation.report import format_interval

__all__ = ["format_latency", "format_verification_table"]


def format_verification_table(model: ModelFile, report: VerificationReport) -> str:
    """Format the report of :func:`fer_convert.verification.verify.verify` as text."""
    labels, counts = report["confusion"]["labels"], report["confusion"]["counts"]
    rows = [
        (label, *map(str, row), format_percent(row[i] / max(1, sum(row))))
        for i, (label, row) in enumerate(zip(labels, counts, strict=True))
    ]
    lines = [
        f"{model.path}: {model.spec.name}, {model.spec.variant}, {model.size:,} bytes",
        f"{format_percent(report['accuracy'])} correct on {report['samples']:,} faces of {report['split']}"
        f"{_format_stated(model, report)}, 95 % interval {format_interval(report['accuracy_interval'])}"
        + (", with mirror images averaged" if report["flip_average"] else ""),
        f"mean class accuracy {format_percent(report['mean_class_accuracy'])}, "
        f"expected calibration error {report['calibration']['ece']:.3f}",
        f"{format_latency(report['latency_ms'])} ms per inference on 1 and 2 threads",
        "",
        *format_table(("true, predicted", *labels, "correct"), rows),
    ]
    return "\n".join(lines)


def _format_stated(model: ModelFile, report: VerificationReport) -> str:
    """Format the accuracy in a file's spec, which was measured without mirror images."""
    stated = model.spec.accuracy.get(report["split"], {}).get("accuracy")
    if stated is None or report["flip_average"]:
        return ""
    return f" (according to its model spec, {format_percent(stated)})"


def format_latency(medians: dict[str, float]) -> str:
    """Format median latencies in ms by the number of threads: ``0.80 / 0.49``."""
    return " / ".join(f"{milliseconds:.2f}" for milliseconds in medians.values())
