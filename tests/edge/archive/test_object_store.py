"""An archive in an object store: a real S3 server on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fer_edge.archive.folder import ArchiveFolder, SourceTable
from fer_edge.archive.manifest import read_manifest
from fer_edge.archive.options import AnalysisOptions, Identity
from fer_edge.archive.storage import Storage
from fer_edge.archive.summary import SectionPlan, SectionSummary, SourceSummary
from fer_edge.archive.tasks import TaskContext, run_join, run_section, run_source
from fer_edge.errors import OutputError, SourceError
from fer_edge.models.find_model import ModelFile
from tests.edge.archive.videos import write_faces

pytestmark = pytest.mark.slow


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a file system with the empty bucket ``lab``, which fer-edge finds through its environment."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            from pyarrow.fs import S3FileSystem

            store = S3FileSystem(
                endpoint_override=f"127.0.0.1:{port}", scheme="http", allow_bucket_creation=True
            )
            store.create_dir("lab")
            yield store
        finally:
            server.kill()


def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server does not answer")


def test_videos_manifest_and_archive_in_a_bucket(bucket: Any, tmp_path: Path, model: ModelFile) -> None:
    video = write_faces(tmp_path / "clip.mp4", 12).read_bytes()
    for name, content in {
        "in/a clip.mp4": video,
        "in/text.mp4": b"text",
        "list.csv": b"path,who\nin/a clip.mp4,007\nin/gone.mp4,008\n",
    }.items():
        with bucket.open_output_stream(f"lab/{name}") as file:
            file.write(content)
    for paths in (["s3://lab/in"], ["s3://lab/in/*.mp4"]):
        found = read_manifest(paths, ()).table.column("address").to_pylist()
        assert found == ["s3://lab/in/a clip.mp4", "s3://lab/in/text.mp4"]
    with pytest.raises(SourceError, match="no file matches"):
        read_manifest(["s3://lab/in/*.mkv"], ())

    manifest = read_manifest(["s3://lab/list.csv"], ())
    options = AnalysisOptions(section_s=6)
    identity = Identity.from_options(options, model, {"who": "string"})
    folder = ArchiveFolder(Storage.of("s3://lab/out/archive/"))
    folder.prepare(identity, overwrite=False)
    context = TaskContext(options, identity, folder.storage)
    table = SourceTable(folder, manifest.extra_columns)
    assert table.load() == set()

    job = manifest.job(0)
    plan = run_source(context, job)
    assert isinstance(plan, SectionPlan)
    for section in plan.sections:
        assert isinstance(run_section(context, job, section), SectionSummary)
    joined = run_join(context, job, plan.sections)
    assert isinstance(joined, SourceSummary)
    assert (joined.status, joined.frames) == ("complete", 120)
    gone = run_source(context, manifest.job(1))
    assert isinstance(gone, SourceSummary)
    assert "s3://lab/in/gone.mp4: cannot open video" in (gone.error or "")
    for number, summary in enumerate((joined, gone)):
        table.add(summary, manifest.job(number).extra_columns)
    table.write()

    again = SourceTable(folder, manifest.extra_columns)
    assert again.load() == {int(job.key, 16)}
    assert again.select(manifest.keys).column("who").to_pylist() == ["007", "008"]
    with pytest.raises(OutputError, match="created with min-face"):
        folder.prepare(Identity.from_options(AnalysisOptions(min_face=50), model, {}), overwrite=False)
    with pytest.raises(OutputError, match="not an archive"):
        ArchiveFolder(Storage.of("s3://lab/in")).prepare(identity, overwrite=True)
