"""Implementation of ``report``: read results, write the page and the charts."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from fer_edge.cli.messages import ERROR, say
from fer_edge.cli.progress import progress_bar
from fer_edge.errors import SourceError, UsageError
from fer_edge.reports.files import ResultsFile, open_results, read_file
from fer_edge.reports.report import Report
from fer_edge.runtime.atomic_files import (
    check_file,
    convert_errors_to_output_error,
    staged_file,
)
from fer_edge.runtime.staged_folders import check_staged_folder, staged_folder
from fer_edge.runtime.tables import format_count

__all__ = ["ReportOptions", "run_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """The values of the arguments and options of ``report``."""

    rows: tuple[str, ...]
    output: Path | None
    png: Path | None
    overwrite: bool
    debug: bool


def run_report(options: ReportOptions) -> None:
    """Write the page and the charts.

    Exits with status 1 if some results could not be read.
    """
    if options.output is None and options.png is None:
        raise UsageError("nothing to write; add -o FILE.html, or --png DIR for the charts alone")
    if options.output is not None:
        check_file(options.output, overwrite=options.overwrite)
    if options.png is not None:
        check_staged_folder(options.png, overwrite=options.overwrite)
    report = Report()
    files = open_results(options.rows, report.problems)
    _refuse_input(options.output, files)
    if options.output is not None and options.output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{options.output}: the page is HTML; name it for example report.html")
    _gather(report, files)
    if not report.sources:
        raise SourceError(
            "; ".join(report.problems[:3]) or "the results contain no frames; check whether the run failed"
        )
    with ExitStack() as outputs:
        if options.output is not None:
            _write_page(outputs.enter_context(staged_file(options.output)), report, options.output)
        if options.png is not None:
            _write_charts(report, options.png, overwrite=options.overwrite)
    for problem in report.problems:
        say(problem, ERROR)
    click.echo(_describe(report, options))
    if report.problems:
        click.get_current_context().exit(1)


def _gather(report: Report, files: list[ResultsFile]) -> None:
    total = sum(file.path.stat().st_size for file in files if file.path is not None and file.path.is_file())
    with progress_bar(None, total=total, unit="B", unit_scale=True) as bar:
        for file in files:
            bar.set_description_str(file.name[-30:], refresh=False)
            report.add(read_file(file, report.problems), file.name)
            if file.path is not None and file.path.is_file():
                bar.update(file.path.stat().st_size)
    report.finish()


def _refuse_input(output: Path | None, files: list[ResultsFile]) -> None:
    if output is None or not output.exists():
        return
    for file in files:
        if file.path is not None and file.path.exists() and output.samefile(file.path):
            raise UsageError(f"{output}: it is an input and would be overwritten; choose another output")


def _write_page(part: Path, report: Report, output: Path) -> None:
    from fer_edge.reports.page import render_page
    from fer_edge.reports.page_data import build_page_data

    page = render_page(build_page_data(report), "fer-edge report")
    with convert_errors_to_output_error(output):
        part.write_text(page, "utf-8")


def _write_charts(report: Report, folder: Path, *, overwrite: bool) -> None:
    from fer_edge.reports.png import write_charts

    with staged_folder(folder, overwrite=overwrite) as staging, convert_errors_to_output_error(folder):
        write_charts(report, staging)


def _describe(report: Report, options: ReportOptions) -> str:
    frames = sum(source.frames for source in report.sources)
    faces = sum(source.tally.faces for source in report.sources)
    written = " and ".join(str(path) for path in (options.output, options.png) if path is not None)
    counts = ((len(report.sources), "source"), (frames, "frame"), (faces, "face"))
    return f"{', '.join(format_count(*each) for each in counts)}: {written}"
