"""Render the results of a benchmark as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fer_edge._version import __version__
from fer_edge.benchmark.frame_budget import CAMERA_FPS, FrameBudget, measure_budgets
from fer_edge.benchmark.models import Measurement
from fer_edge.benchmark.recommendation import recommend
from fer_edge.models.find_model import ModelFile
from fer_edge.runtime.latency import STAGES
from fer_edge.runtime.system import count_processors, describe_machine
from fer_edge.runtime.tables import format_table

__all__ = ["BenchmarkReport", "build_report_summary", "render_report"]

_DRAWN: Final = "a drawn face in front of a mottled wall"


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """The results of a benchmark.

    ``models`` are keyed by the names that the user gave them, ``memory`` is each one's peak in bytes. ``video`` is
    None for the synthetic one. ``temperatures`` are those before and after, in degrees Celsius. ``throttling`` is
    None if the machine does not report it.
    """

    video: str | None
    models: dict[str, ModelFile]
    memory: dict[str, int | None]
    measurements: list[Measurement]
    temperatures: tuple[float | None, float | None]
    throttling: tuple[str, ...] | None


def render_report(report: BenchmarkReport) -> list[str]:
    """Render the report as text: machine, video, a table per model, a recommendation."""
    first = report.measurements[0]
    width, height = first.size
    lines = [
        describe_machine(),
        f"Video: {report.video or _DRAWN}, {width}×{height}, {first.faces / first.frames:.1f} faces per frame"
        + ("" if report.video else "; use --video to measure on your own"),
        f"{len(first.rounds)} alternating rounds, in total {first.frames:,} frames and "
        f"{first.inference.count:,} inferences for each model and thread count, after the warm-up",
    ]
    for name, model in report.models.items():
        lines += ["", _render_model(name, model, report.memory[name])]
        lines += _render_table([m for m in report.measurements if m.name == name])
    lines += [
        "",
        "Milliseconds: median / 95th percentile. FPS: end to end, including drawing and writing JSON Lines.",
    ]
    if not first.faces:
        lines.append("No face was found: these frames per second do not include classification.")
    lines += ["", *_render_budgets(report.measurements), "", *_render_heat(report)]
    return [*lines, f"Recommendation: {recommend(report.measurements).text}"]


def _render_model(name: str, model: ModelFile, memory: int | None) -> str:
    peak = "" if memory is None else f", peak memory {memory / 1e6:.0f} MB"
    return f"{name}: {model.spec.name}, {model.spec.variant}, {model.size / 1e6:.2f} MB{peak}"


def _render_table(measurements: Sequence[Measurement]) -> list[str]:
    rows = []
    for m in measurements:
        pairs = [m.inference.milliseconds(), *m.stages.as_dict().values()]
        cells = [" / ".join("-" if ms is None else f"{ms:.2f}" for ms in pair.values()) for pair in pairs]
        rows.append([str(m.threads), f"{m.fps:.1f}", *cells])
    return ["  " + line for line in format_table(("threads", "FPS", "inference", *STAGES), rows, left=())]


def _render_budgets(measurements: Sequence[Measurement]) -> list[str]:
    """Render a table of the faces per camera frame that each model has time for."""
    budgets = measure_budgets(measurements)
    counts = list(budgets[0].faces)
    header = ("model", "ms per face", *(f"{n} thread{'' if n == 1 else 's'}" for n in counts))
    rows = [(b.name, f"{b.face_ms:.2f}", *(f"{b.faces[n]:,}" for n in counts)) for b in budgets]
    return [
        f"Faces that can be classified per frame of a camera at {CAMERA_FPS} frames a second, besides detection:",
        *("  " + line for line in format_table(header, rows)),
    ]


def _render_heat(report: BenchmarkReport) -> list[str]:
    lines = []
    before, after = report.temperatures
    if before is not None and after is not None:
        lines.append(f"Temperature: {before:.1f} °C before, {after:.1f} °C after")
    if report.throttling:
        lines.append(
            f"Throttled by: {', '.join(report.throttling)}; better cooling and power supply make it faster"
        )
    return lines


def build_report_summary(report: BenchmarkReport) -> dict[str, Any]:
    """Build the object that ``--summary`` writes and ``--json`` prints."""
    first = report.measurements[0]
    before, after = report.temperatures
    heat: dict[str, Any] = {}
    if before is not None:
        heat["temperature_c"] = {"before": before, "after": after}
    if report.throttling is not None:
        heat["throttling"] = list(report.throttling)
    chosen = recommend(report.measurements)
    return {
        "version": __version__,
        "device": {"machine": describe_machine(), "processors": count_processors(), **heat},
        "source": report.video or _DRAWN,
        "size": list(first.size),
        "rounds": len(first.rounds),
        "models": [
            {
                "file": name,
                "name": model.spec.name,
                "variant": model.spec.variant,
                "sha256": model.sha256,
                "bytes": model.size,
                "peak_memory_bytes": report.memory[name],
                "measurements": [_summarize_measurement(m) for m in report.measurements if m.name == name],
            }
            for name, model in report.models.items()
        ],
        "camera": {
            "frames_per_second": CAMERA_FPS,
            "models": [_summarize_budget(budget) for budget in measure_budgets(report.measurements)],
        },
        "recommendation": {"model": chosen.model, "threads": chosen.threads, "text": chosen.text},
    }


def _summarize_measurement(m: Measurement) -> dict[str, Any]:
    return {
        "threads": m.threads,
        "frames": m.frames,
        "faces": m.faces,
        "fps": round(m.fps, 3),
        "inference": {"count": m.inference.count, **m.inference.milliseconds()},
        "stages": m.stages.as_dict(),
    }


def _summarize_budget(budget: FrameBudget) -> dict[str, Any]:
    return {
        "file": budget.name,
        "ms_a_face": round(budget.face_ms, 3),
        "faces_a_frame": {str(threads): faces for threads, faces in budget.faces.items()},
        "accuracy": budget.model.spec.accuracy,
    }
