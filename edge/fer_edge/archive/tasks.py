"""The tasks that run on Ray: analyze a source or a section, and join sections.

Each task returns its outcome, which includes expected errors. Tasks are idempotent: a file is complete when it
appears, and a repeated task writes the same file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fer_edge.archive.analysis import StallWatch, Worker, analyze_span, open_worker
from fer_edge.archive.joining import join_sections
from fer_edge.archive.manifest import SourceJob
from fer_edge.archive.options import AnalysisOptions, Identity
from fer_edge.archive.row_file import open_rows
from fer_edge.archive.schema import METADATA_KEY
from fer_edge.archive.sections import Section, plan_sections
from fer_edge.archive.storage import Storage
from fer_edge.archive.summary import (
    FatalError,
    Outcome,
    SectionPlan,
    SectionSummary,
    SourceSummary,
    format_metadata,
    parse_section_summary,
)
from fer_edge.errors import FerEdgeError, SourceError, describe_error
from fer_edge.runtime.native_stderr import suppress_native_stderr

__all__ = ["TaskContext", "parts_folder", "read_metadata", "run_join", "run_section", "run_source"]


@dataclass(frozen=True, slots=True)
class TaskContext:
    """The data that every task of a run needs."""

    options: AnalysisOptions
    identity: Identity
    storage: Storage

    def open_worker(self) -> Worker:
        """Return this process's worker, which is created on first use."""
        return open_worker(self.options, self.identity.model_sha256)


def parts_folder(key: str) -> str:
    """Return the name of the folder of a source's sections.

    It exists until the sections are joined. Parquet readers skip names that start with an underscore.
    """
    return f"_sections/{key}"


def run_source(context: TaskContext, job: SourceJob) -> Outcome:
    """Analyze a short video, or split a long one into sections."""

    def work() -> Outcome:
        worker = context.open_worker()
        with StallWatch(context.options.stall_s):
            sections = plan_sections(job.address, context.options)
        if len(sections) > 1:
            return SectionPlan(sections, _find_done(context, job, sections))

        def write(path: Path) -> SectionSummary:
            return analyze_span(worker, job, sections[0].span, path, build_metadata)

        def build_metadata(part: SectionSummary) -> bytes:
            return format_metadata(context.identity, SourceSummary.from_parts(job, [part]))

        return SourceSummary.from_parts(job, [_store(context.storage, job.file, write)])

    return _run_and_catch_errors(work, lambda error: SourceSummary.failure(job, error))


def run_section(context: TaskContext, job: SourceJob, section: Section) -> Outcome:
    """Analyze a section of a long video."""

    def work() -> Outcome:
        worker = context.open_worker()

        def write(path: Path) -> SectionSummary:
            begin_s = section.begin_s if section.number else section.read_s
            return analyze_span(worker, job, section.span, path, build_metadata, begin_s)

        def build_metadata(part: SectionSummary) -> bytes:
            return format_metadata(context.identity, part)

        return _store(context.storage, f"{parts_folder(job.key)}/{section.name}", write, keep_empty=True)

    return _run_and_catch_errors(work, lambda error: SourceSummary.failure(job, error))


def run_join(context: TaskContext, job: SourceJob, sections: Sequence[Section]) -> Outcome:
    """Join the sections of a long video into one file, then remove them."""

    def work() -> Outcome:
        storage, folder = context.storage, parts_folder(job.key)
        summaries = [_read_summary(storage, f"{folder}/{section.name}") for section in sections]
        summary = SourceSummary.from_parts(job, summaries)
        with ExitStack() as stack:
            if summary.frames:
                paths = [stack.enter_context(_fetch(storage, f"{folder}/{each.name}")) for each in sections]
                path = stack.enter_context(storage.stage(job.file))
                with open_rows(path, context.identity.labels, job) as file:
                    summary = replace(summary, face_ids=join_sections(paths, file))
                    file.add_metadata(format_metadata(context.identity, summary))
        storage.remove_folder(folder)
        return summary

    return _run_and_catch_errors(work, lambda error: SourceSummary.failure(job, error))


class _NoRowError(Exception):
    """A file has no rows and is discarded."""


def _store(
    storage: Storage, name: str, write: Callable[[Path], SectionSummary], *, keep_empty: bool = False
) -> SectionSummary:
    """Write a file to the archive; keep a file without rows only if ``keep_empty``."""
    summary = SectionSummary()
    with suppress(_NoRowError), storage.stage(name) as path:
        summary = write(path)
        if not (summary.frames or keep_empty):
            raise _NoRowError
    return summary


def _run_and_catch_errors(work: Callable[[], Outcome], fail: Callable[[str], Outcome]) -> Outcome:
    """Run ``work``; a SourceError fails the source, any other expected error the run."""
    try:
        with suppress_native_stderr():
            return work()
    except SourceError as error:
        return fail(describe_error(error))
    except FerEdgeError as error:
        return FatalError(error)
    except MemoryError:
        return fail("out of memory; give each worker more memory, or scale the video down")


def _find_done(
    context: TaskContext, job: SourceJob, sections: Sequence[Section]
) -> dict[int, SectionSummary]:
    """Return the summaries of the sections that an earlier run finished, by number."""
    existing = set(context.storage.list_files(parts_folder(job.key)))
    return {
        section.number: _read_summary(context.storage, f"{parts_folder(job.key)}/{section.name}")
        for section in sections
        if section.name in existing
    }


def _read_summary(storage: Storage, name: str) -> SectionSummary:
    return parse_section_summary(read_metadata(storage, name))


def read_metadata(storage: Storage, name: str) -> bytes:
    """Return the fer-edge metadata of a row file; raises ValueError if there is none."""
    import pyarrow.parquet as pq

    file_system, path = storage.open(name)
    found: bytes | None = (pq.read_metadata(path, filesystem=file_system).metadata or {}).get(METADATA_KEY)
    if found is None:
        raise ValueError("not written by fer-edge")
    return found


@contextmanager
def _fetch(storage: Storage, name: str) -> Iterator[Path]:
    """Yield a local path with the content of a file in the archive."""
    if storage.is_local:
        yield Path(storage.address(name))
        return
    with tempfile.TemporaryDirectory(prefix="fer-edge-") as folder:
        copy = Path(folder) / "part.parquet"
        copy.write_bytes(storage.read(name))
        yield copy
