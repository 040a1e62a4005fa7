"""Implementation of ``benchmark``: measure models or detectors."""

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

from fer_edge.benchmark.detectors import build_comparison_summary, compare_detectors, render_comparison
from fer_edge.benchmark.models import FRAMES, WARM_UP, Measurement, list_thread_counts, measure_models
from fer_edge.benchmark.report import BenchmarkReport, build_report_summary, render_report
from fer_edge.benchmark.synthetic_video import write_synthetic_video
from fer_edge.cli.messages import ERROR, say
from fer_edge.cli.progress import progress_bar
from fer_edge.errors import UsageError
from fer_edge.models.find_model import ModelFile, find_model, list_bundled_models
from fer_edge.runtime.atomic_files import check_file, write_json
from fer_edge.runtime.malloc import keep_freed_memory
from fer_edge.runtime.native_stderr import suppress_native_stderr
from fer_edge.runtime.system import (
    choose_thread_count,
    measure_peak_memory,
    read_temperature,
    read_throttling,
)

__all__ = ["BenchmarkOptions", "run_benchmark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions:
    """The values of the options of ``benchmark``."""

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
    """Measure models or compare detectors, print the results and write the summary."""
    if options.detectors is not None:
        _compare_detectors(options, options.detectors)
        return
    if options.detector_model is not None:
        raise UsageError("--detector-model applies only with --detectors; leave it out")
    if options.video == "-":
        raise UsageError("--video cannot be standard input because it is read several times; use a file")
    models = {name: find_model(name) for name in options.model or list_bundled_models()}
    if len(models) < len(options.model):
        raise UsageError("one model is specified twice; specify each model once")
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
    """Print the faces found and the time taken by each detector; raises UsageError."""
    if options.model or options.video is not None:
        raise UsageError("--model and --video do not apply with --detectors; leave them out")
    images = Path(path)
    _check_summary(options, [images, *(images.iterdir() if images.is_dir() else ())])
    with suppress_native_stderr(options.debug):
        comparison = compare_detectors(
            path,
            model=options.detector_model,
            threads=options.threads,
            progress=lambda frames: progress_bar(frames, unit=" images"),
        )
    if options.summary is not None:
        write_json(options.summary, build_comparison_summary(comparison))
    for error in comparison.errors:
        say(str(error), ERROR)
    if options.as_json:
        _print_json(build_comparison_summary(comparison))
    else:
        for line in render_comparison(comparison):
            click.echo(line)
    if comparison.errors:
        click.get_current_context().exit(1)


def _check_summary(options: BenchmarkOptions, read: Sequence[Path]) -> None:
    """Check that the summary can be written and does not replace an input.

    Raises UsageError, OutputError.
    """
    if options.summary is None:
        return
    if os.path.realpath(options.summary) in {os.path.realpath(path) for path in read}:
        raise UsageError(f"{options.summary}: it is an input and would be overwritten; choose another output")
    check_file(options.summary, overwrite=options.overwrite)


def _measure(options: BenchmarkOptions, models: dict[str, ModelFile], folder: Path) -> BenchmarkReport:
    counts = list_thread_counts(choose_thread_count(options.threads))
    video = options.video
    if video is None:
        video = os.fspath(folder / "drawn.mp4")
        # Longer than the measurement, so that the prefetch queue never runs empty.
        write_synthetic_video(Path(video), 2 * WARM_UP + FRAMES)
    before = read_temperature()
    # Measure memory first, while this process is still small.
    memory = {name: _memory(model, video, counts[-1]) for name, model in models.items()}
    measurements = [Measurement(name, model, count) for count in counts for name, model in models.items()]
    for _ in progress_bar(measure_models(measurements, video, folder / "rows.jsonl"), unit=" rounds"):
        pass
    temperatures = (before, read_temperature())
    return BenchmarkReport(options.video, models, memory, measurements, temperatures, read_throttling())


def _memory(model: ModelFile, video: str, threads: int) -> int | None:
    """Return the peak memory of ``fer-edge video`` in bytes.

    Returns None if it is not available.
    """
    command = [sys.executable, "-m", "fer_edge", "video", "--threads", str(threads)]
    return measure_peak_memory(
        [*command, "--max-frames", str(FRAMES), "--model", str(model.path), "--", video]
    )
