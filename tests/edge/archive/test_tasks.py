"""Sources and sections in this process: rows, summaries, resuming. Ray only runs these functions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fer_edge.archive.folder import ArchiveFolder, SourceTable
from fer_edge.archive.manifest import SourceJob, read_manifest
from fer_edge.archive.options import AnalysisOptions, Identity
from fer_edge.archive.reading import list_row_files, read_batches, read_frames, read_labels, read_sources
from fer_edge.archive.storage import Storage
from fer_edge.archive.summary import FatalError, SectionPlan, SectionSummary, SourceSummary
from fer_edge.archive.tasks import TaskContext, parts_folder, run_join, run_section, run_source
from fer_edge.errors import ModelError, OutputError, SourceError
from fer_edge.models.find_model import ModelFile
from fer_edge.types import FrameRecord
from tests.edge.archive.videos import compare, drop_source, reference_rows, write_faces


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("videos") / "faces.mp4", 24)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("videos") / "short.mp4", 2)


@pytest.fixture(scope="module")
def reference(video: Path) -> list[FrameRecord]:
    return reference_rows(video)


def open_archive(
    out: Path, options: AnalysisOptions, model: ModelFile, *, overwrite: bool = False
) -> TaskContext:
    identity = Identity.from_options(options, model, {})
    folder = ArchiveFolder(Storage.of(str(out)))
    folder.prepare(identity, overwrite=overwrite)
    return TaskContext(options, identity, folder.storage)


def job_of(path: Path) -> SourceJob:
    return read_manifest([str(path)], ()).job(0)


def analyze(context: TaskContext, job: SourceJob) -> SourceSummary:
    """Analyze a source to its end, as the scheduler does."""
    outcome = run_source(context, job)
    if isinstance(outcome, SectionPlan):
        for section in outcome.sections:
            if section.number not in outcome.done:
                assert isinstance(run_section(context, job, section), SectionSummary)
        outcome = run_join(context, job, outcome.sections)
    assert isinstance(outcome, SourceSummary)
    return outcome


def rows_of(out: Path) -> list[FrameRecord]:
    (file,) = list_row_files(out)
    return list(read_frames(file))


def ids_of(rows: list[FrameRecord]) -> set[int]:
    return {face["id"] for row in rows for face in row["faces"]}


def test_rows_are_those_of_video(
    tmp_path: Path, video: Path, model: ModelFile, reference: list[FrameRecord]
) -> None:
    summary = analyze(open_archive(tmp_path / "out", AnalysisOptions(), model), job_of(video))
    rows = rows_of(tmp_path / "out")
    # float32 in Parquet keeps seven digits.
    assert compare(rows, reference) == (1.0, 1.0)
    assert drop_source(rows) == drop_source(reference)
    assert (summary.status, summary.frames, summary.sections) == ("complete", 240, 1)
    assert summary.faces == sum(len(row["faces"]) for row in reference)
    assert summary.duration_s == pytest.approx(24, abs=0.2)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sections_barely_change_the_results(
    tmp_path: Path, model: ModelFile, video: Path, reference: list[FrameRecord], suffix: str
) -> None:
    if suffix == ".mkv":
        video = write_faces(tmp_path / f"video{suffix}", 24)
    summary = analyze(open_archive(tmp_path / "out", AnalysisOptions(section_s=12), model), job_of(video))
    rows = rows_of(tmp_path / "out")
    placed, same = compare(rows, reference)
    assert summary.sections == 2
    assert placed >= 0.99
    assert same >= 0.97
    assert not (tmp_path / "out" / "_sections" / job_of(video).key).exists()
    assert len(ids_of(rows)) == len(ids_of(reference)) == summary.face_ids  # also across the section border


def test_an_existing_section_is_not_analyzed_again(tmp_path: Path, model: ModelFile, video: Path) -> None:
    context, job = open_archive(tmp_path / "out", AnalysisOptions(section_s=8), model), job_of(video)
    plan = run_source(context, job)
    assert isinstance(plan, SectionPlan)
    assert not plan.done
    run_section(context, job, plan.sections[1])
    half = tmp_path / "out" / parts_folder(job.key) / ".00002.99999999.part.parquet"
    half.write_bytes(b"half")
    context = open_archive(tmp_path / "out", AnalysisOptions(section_s=8), model)
    assert not half.exists()
    again = run_source(context, job)
    assert isinstance(again, SectionPlan)
    assert set(again.done) == {1}


def test_fewer_rows_with_every(tmp_path: Path, model: ModelFile) -> None:
    video, options = write_faces(tmp_path / "faces.mp4", 12), AnalysisOptions(every=2.0)
    analyze(open_archive(tmp_path / "a", options, model), job_of(video))
    analyze(open_archive(tmp_path / "b", replace(options, section_s=5), model), job_of(video))
    frames = [row["frame"] for row in rows_of(tmp_path / "a")]
    assert frames == list(range(19, 120, 20))
    assert [row["frame"] for row in rows_of(tmp_path / "b")] == frames


def test_carried_columns_and_metadata(tmp_path: Path, model: ModelFile, short: Path) -> None:
    (tmp_path / "m.csv").write_text(f"path,participant\n{short},007\n")
    job = read_manifest([str(tmp_path / "m.csv")], ()).job(0)
    analyze(open_archive(tmp_path / "out", AnalysisOptions(), model), job)
    (file,) = list_row_files(tmp_path / "out")
    assert {row["participant"] for batch in read_batches(file) for row in batch.to_pylist()} == {"007"}
    assert read_labels(file) == model.spec.labels
    assert model.sha256.encode() in pq.read_metadata(file).metadata[b"fer_edge"]
    assert pq.read_metadata(file).row_group(0).column(0).compression == "ZSTD"


def test_a_file_that_is_not_a_video_fails_and_leaves_nothing(tmp_path: Path, model: ModelFile) -> None:
    context = open_archive(tmp_path / "out", AnalysisOptions(), model)
    (tmp_path / "text.mp4").write_text("no video")
    for name in ("text.mp4", "missing.mp4"):
        summary = run_source(context, job_of(tmp_path / name))
        assert isinstance(summary, SourceSummary)
        assert (summary.status, summary.file) == ("failed", None)
        assert name in (summary.error or "")
    assert not list_row_files(tmp_path / "out")


def test_a_video_that_breaks_off_is_damaged_and_its_rows_are_kept(tmp_path: Path, model: ModelFile) -> None:
    whole = write_faces(tmp_path / "whole.mkv", 6).read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 3])
    summary = analyze(open_archive(tmp_path / "out", AnalysisOptions(), model), job_of(tmp_path / "half.mkv"))
    assert summary.status == "damaged"
    assert "ended early" in (summary.error or "")
    assert len(rows_of(tmp_path / "out")) == summary.frames


def test_another_model_on_a_node_ends_the_run(tmp_path: Path, model: ModelFile, short: Path) -> None:
    context = open_archive(tmp_path / "out", AnalysisOptions(), model)
    other = replace(context, identity=replace(context.identity, model_sha256="0" * 64))
    outcome = run_source(other, job_of(short))
    assert isinstance(outcome, FatalError)
    assert type(outcome.error) is ModelError
    assert "every node" in str(outcome.error)


def test_a_full_disk_ends_the_run(small_disk: Path, model: ModelFile, short: Path) -> None:
    context = open_archive(small_disk / "out", AnalysisOptions(), model)
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filling").write_bytes(bytes(2 << 20))
    outcome = run_source(context, job_of(short))
    assert isinstance(outcome, FatalError)
    assert type(outcome.error) is OutputError
    assert "cannot write" in str(outcome.error)
    assert "No space left on device; free some space" in str(outcome.error)
    (small_disk / "filling").unlink()
    assert isinstance(run_source(context, job_of(short)), SourceSummary)


class TestFolder:
    def test_other_options_are_refused(self, tmp_path: Path, model: ModelFile) -> None:
        open_archive(tmp_path, AnalysisOptions(), model)
        open_archive(tmp_path, AnalysisOptions(), model)
        with pytest.raises(OutputError, match=r"created with min-face the default, not 40; use the same"):
            open_archive(tmp_path, AnalysisOptions(min_face=40), model)
        with pytest.raises(OutputError, match="created with model"):
            open_archive(tmp_path, AnalysisOptions(), replace(model, sha256="0" * 64))
        open_archive(tmp_path, AnalysisOptions(min_face=40), model, overwrite=True)
        open_archive(tmp_path, AnalysisOptions(min_face=40), model)

    def test_a_folder_of_something_else_is_refused(self, tmp_path: Path, model: ModelFile) -> None:
        (tmp_path / "thesis.tex").write_text("mine")
        with pytest.raises(OutputError, match=r"not an archive, but contains thesis\.tex"):
            open_archive(tmp_path, AnalysisOptions(), model, overwrite=True)
        assert (tmp_path / "thesis.tex").read_text() == "mine"

    @pytest.mark.parametrize("content", [b"{}", b"[1]", b"text", b'{"format": "fer-edge archive 99"}'])
    def test_another_archive_json_is_refused(self, tmp_path: Path, model: ModelFile, content: bytes) -> None:
        (tmp_path / "archive.json").write_bytes(content)
        with pytest.raises(OutputError, match="not the description of an archive"):
            open_archive(tmp_path, AnalysisOptions(), model, overwrite=True)

    def test_two_programs_do_not_write_one_archive(self, tmp_path: Path) -> None:
        folder = ArchiveFolder(Storage.of(str(tmp_path)))
        message = "another program is writing to this folder"
        with folder.lock(), pytest.raises(OutputError, match=message), folder.lock():
            pass

    def test_a_table_that_was_not_written_is_made_from_the_files(
        self, tmp_path: Path, model: ModelFile, short: Path
    ) -> None:
        out = tmp_path / "out"
        context, job = open_archive(out, AnalysisOptions(), model), job_of(short)
        summary = analyze(context, job)
        table = SourceTable(ArchiveFolder(context.storage), job.extra_columns.schema)
        assert table.load() == {int(job.key, 16)}
        table.write()
        assert read_sources(out).to_pylist()[0]["frames"] == summary.frames
        (out / job.file).unlink()
        assert SourceTable(ArchiveFolder(context.storage), job.extra_columns.schema).load() == set()


def test_only_archives_are_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not an archive"):
        list_row_files(tmp_path)
    (tmp_path / "x.parquet").write_bytes(b"x")
    with pytest.raises(SourceError, match="cannot read as Parquet"):
        next(read_frames(tmp_path / "x.parquet"))
