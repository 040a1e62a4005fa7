"""What ``benchmark`` does: measure models on this machine, print the figures, write them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from fer_edge.benchmark.detectors import compare_detectors, comparison_summary, render_comparison
from fer_edge.benchmark.models import FRAMES, WARM_UP, Measurement, list_thread_counts, measure_models
from fer_edge.benchmark.report import BenchmarkReport, build_report_summary, render_report
from fer_edge.benchmark.synthetic_video import write_synthetic_video
from fer_edge.cli.messages import ERROR, say
from fer_edge.cli.progress import progress_bar
from fer_edge.errors import UsageError
from fer_edge.models.find_model import ModelFile, bundled_models, find_model
from fer_edge.runtime.atomic_files import check_file, write_json
from fer_edge.runtime.malloc import keep_freed_memory
from fer_edge.runtime.native_stderr import suppress_native_stderr
from fer_edge.runtime.system import peak_memory, temperature, thread_count, throttling

__all__ = ["BenchmarkOptions", "run_benchmark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions:
    """The options of ``benchmark``, as the command line gives them."""

    model: tuple[str, ...]
    video: str | None
    detectors: str | None
    detector_model: Path | None
    threads: int | None
    summary: Path | None
    as_json: bool
    overwrite: bool
    debug: bool


def run_benchmark(options: BenchmarkOptions) -> None:
    """Measure the models named, or compare the detectors; print the figures, write the summary."""
    if options.detectors is not None:
        _compare_detectors(options, options.detectors)
        return
    if options.detector_model is not None:
        raise UsageError("expected --detector-model with --detectors only; leave it out")
    if options.video == "-":
        raise UsageError("expected a video that can be read again and again, got standard input; name a file")
    models = {name: find_model(name) for name in options.model or bundled_models()}
    if len(models) < len(options.model):
        raise UsageError("one model is named twice; name different models")
    _check_summary(options, [*(model.path for model in models.values()), Path(options.video or "")])
    keep_freed_memory()  # as the video command does
    with suppress_native_stderr(options.debug), TemporaryDirectory() as folder:
        report = _measure(options, models, Path(folder))
    if options.summary is not None:
        write_json(options.summary, build_report_summary(report))
    if options.as_json:
        _print_json(build_report_summary(report))
        return
    for line in render_report(report):
        click.echo(line)


def _print_json(content: dict[str, Any]) -> None:
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


def _compare_detectors(options: BenchmarkOptions, path: str) -> None:
    """Print what the face detectors find and how long they take; raises UsageError for options of models."""
    if options.model or options.video is not None:
        raise UsageError(
            "expected --detectors without --model and --video, it measures no model; leave them out"
        )
    pictures = Path(path)
    _check_summary(options, [pictures, *(pictures.iterdir() if pictures.is_dir() else ())])
    with suppress_native_stderr(options.debug):
        comparison = compare_detectors(
            path,
            model=options.detector_model,
            threads=options.threads,
            progress=lambda frames: progress_bar(frames, unit=" pictures"),
        )
    if options.summary is not None:
        write_json(options.summary, comparison_summary(comparison))
    for error in comparison.errors:
        say(str(error), ERROR)
    if options.as_json:
        _print_json(comparison_summary(comparison))
    else:
        for line in render_comparison(comparison):
            click.echo(line)
    if comparison.errors:
        click.get_current_context().exit(1)


def _check_summary(options: BenchmarkOptions, read: Sequence[Path]) -> None:
    """Refuse a summary that cannot be written or would replace what is read."""
    if options.summary is None:
        return
    if os.path.realpath(options.summary) in {os.path.realpath(path) for path in read}:
        raise UsageError(f"{options.summary}: it is an input and would be overwritten; name another output")
    check_file(options.summary, overwrite=options.overwrite)


def _measure(options: BenchmarkOptions, models: dict[str, ModelFile], folder: Path) -> BenchmarkReport:
    counts = list_thread_counts(thread_count(options.threads))
    video = options.video
    if video is None:
        video = os.fspath(folder / "drawn.mp4")
        # Longer than what is measured, so that reading ahead does not run dry.
        write_synthetic_video(Path(video), 2 * WARM_UP + FRAMES)
    before = temperature()
    # First: this process is still small.
    memory = {name: _memory(model, video, counts[-1]) for name, model in models.items()}
    measurements = [Measurement(name, model, count) for count in counts for name, model in models.items()]
    for _ in progress_bar(measure_models(measurements, video, folder / "rows.jsonl"), unit=" rounds"):
        pass
    temperatures = (before, temperature())
    return BenchmarkReport(options.video, models, memory, measurements, temperatures, throttling())


def _memory(model: ModelFile, video: str, threads: int) -> int | None:
    """The most bytes that ``fer-edge video`` takes; None where that is not to be known."""
    command = [sys.executable, "-m", "fer_edge", "video", "--threads", str(threads)]
    return peak_memory([*command, "--max-frames", str(FRAMES), "--model", str(model.path), "--", video])
