"""The command on a real Ray: workers that crash, hang and are killed, interrupted runs, clusters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fer_edge.archive.reading import list_row_files, read_frames
from fer_edge.archive.schema import SOURCES_FILE
from tests.edge.archive.videos import write_faces

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Ray is tested on Linux and macOS"),
]

_DETECTOR = '''
"""A detector that does what the video's name says."""

import ctypes
import os
import time
from pathlib import Path

from fer_edge.detectors.haar import create_detector as create_haar


class Detector:
    def __init__(self, request):
        self._haar = create_haar(request)
        self.name, self.traits = "fake", self._haar.traits

    def detect(self, frame, roi=None, **sizes):
        name = Path(frame.source).name
        if name.startswith("crash"):
            ctypes.string_at(0)
        if name.startswith("hang"):
            while True:
                pass
        if name.startswith("once") and frame.index > 100:
            mark = Path(os.environ["FAKES_OUT"]) / "killed"
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), 9)
        if name.startswith("slow"):
            time.sleep(0.1)
        return self._haar.detect(frame, roi, **sizes)

    def smallest_face(self, frame):
        return self._haar.smallest_face(frame)

    def close(self):
        self._haar.close()
'''


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the detector ``fake`` for this process and the processes it starts."""
    site = tmp_path / "site"
    info = site / "fer_edge_fakes-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "fer_edge_archive_fakes.py").write_text(_DETECTOR)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fer-edge-fakes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fer_edge.detectors]\nfake = fer_edge_archive_fakes:Detector\n")
    packages = Path(__file__).resolve().parents[3]
    paths = [str(site), *(str(packages / name) for name in ("edge", "train", "convert"))]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("FAKES_OUT", str(tmp_path))
    return tmp_path


@contextmanager
def start(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a process that ends with the block."""
    command = [sys.executable, "-m", "fer_edge", "archive", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    with start(*arguments) as process:
        out, err = process.communicate(timeout=500)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def statuses(out: Path) -> dict[str, str]:
    table = pq.read_table(out / SOURCES_FILE)
    return {Path(row["source"]).name: row["status"] for row in table.to_pylist()}


def descendants(pid: int) -> set[int]:
    """Return the process ids below a process, from /proc."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | descendants(child)
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition: object, seconds: float = 500.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_crashes_hangs_or_cannot_be_read_fails_alone(fakes: Path) -> None:
    videos = fakes / "videos"
    videos.mkdir()
    write_faces(videos / "once.mp4", 24)
    for name in ("a.mp4", "crash.mp4", "hang.mp4"):
        write_faces(videos / name, 1)
    (videos / "text.mp4").write_text("no video")
    (fakes / "m.csv").write_text(
        "path,group\n"
        + "".join(f"videos/{name}.mp4,x\n" for name in ("once", "a", "crash", "hang", "text", "gone"))
    )
    code = f"""
from fer_edge.archive.manifest import read_manifest
from fer_edge.archive.options import AnalysisOptions
from fer_edge.archive.run import ArchiveRun
options = AnalysisOptions(detector="fake", section_s=8, stall_s=10)
run = ArchiveRun(options, read_manifest([{str(fakes / "m.csv")!r}], ()), {str(fakes / "out")!r}, threads=2)
progress, table = run.run()
print(progress.done, progress.failed, table.num_rows)
for row in table.to_pylist():
    print(row["source"], row["status"], row["sections"], row["group"], row["error"])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0] == "6 4 6"
    told = {line.split()[0]: line for line in lines[1:]}
    assert "complete 3 x None" in told["videos/once.mp4"]  # although its worker was killed
    assert (fakes / "killed").exists()
    assert "complete 1 x None" in told["videos/a.mp4"]
    assert "failed" in told["videos/crash.mp4"]
    assert "crashed or stalled 3 times" in told["videos/crash.mp4"]
    assert "crashed or stalled 3 times" in told["videos/hang.mp4"]
    assert "unsupported format or damaged file" in told["videos/text.mp4"]
    assert "No such file" in told["videos/gone.mp4"]
    assert len(list_row_files(fakes / "out")) == 2
    assert not [path for path in (fakes / "out").rglob("*") if ".part" in path.name]


def test_a_signal_while_ray_is_started_has_its_own_status(fakes: Path) -> None:
    write_faces(fakes / "a.mp4", 1)
    with start(fakes / "a.mp4", "--out", fakes / "out") as process:
        wait_until(lambda: descendants(process.pid))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 143, err


def test_the_command_goes_on_where_it_was_interrupted(fakes: Path) -> None:
    write_faces(fakes / "a.mp4", 1)
    write_faces(fakes / "slow.mp4", 24)
    out = fakes / "out"
    command = (
        fakes / "a.mp4",
        fakes / "slow.mp4",
        "--out",
        out,
        "--threads",
        2,
        "--detector",
        "fake",
        "--section",
        10,
    )

    with start(*command) as process:
        wait_until(lambda: list(out.glob("rows/*/a-*.parquet")))
        below = descendants(process.pid)
        assert below
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 143, err
    assert "Interrupted; finished work is kept" in err
    wait_until(lambda: not any(map(is_running, below)))
    assert statuses(out) == {"a.mp4": "complete"}

    with start(*command) as process:
        wait_until(lambda: list(out.glob("_sections/*/*.parquet")))
        below = descendants(process.pid)
        process.kill()
        process.communicate(timeout=60)
    wait_until(lambda: not any(map(is_running, below)))
    written = {path: path.stat().st_mtime_ns for path in out.glob("rows/*/*.parquet")}

    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    assert done.stdout.startswith("2 sources, 1 already complete")
    assert statuses(out) == {"a.mp4": "complete", "slow.mp4": "complete"}
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in written.items())
    assert not [path for path in out.rglob("*") if ".part" in path.name]
    assert [row["frame"] for row in read_frames(list_row_files(out)[1])] == [*range(240)]

    again = run(*command)
    assert (again.returncode, again.stdout) == (0, "2 sources, 2 already complete\n")
    refused = run(*command, "--min-face", 50)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "--overwrite" in refused.stderr


_CLUSTER = """
import sys
from ray.cluster_utils import Cluster
nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
nodes.add_node(num_cpus=1)
print(nodes.address, flush=True)
sys.stdin.read()
nodes.shutdown()
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of a cluster of two single-CPU nodes, in a separate process."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    with subprocess.Popen(
        [sys.executable, "-c", _CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate(timeout=60)


def test_two_nodes_share_the_work(cluster: str, tmp_path: Path) -> None:
    for name in "abcd":
        write_faces(tmp_path / f"{name}.mp4", 1)
    done = run(tmp_path, "--out", tmp_path / "out", "--cluster", cluster)
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path / "out") == {f"{name}.mp4": "complete" for name in "abcd"}


def test_a_cluster_that_does_not_exist(tmp_path: Path) -> None:
    write_faces(tmp_path / "a.mp4", 1)
    for address, message in (
        ("127.0.0.1:1", "cannot connect to a Ray cluster"),
        ("here", "such as 10.0.0.1:6379"),
    ):
        done = run(tmp_path, "--out", tmp_path / "out", "--cluster", address)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert message in done.stderr


def test_no_usage_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    code = """
from fer_edge.archive.cluster import ray_session
from ray._common.usage.usage_lib import usage_stats_enabled
import signal
before = signal.getsignal(signal.SIGTERM)
with ray_session(None, 1) as ray:
    print("unseen")
    enabled = usage_stats_enabled()
    inside = ray.get(ray.remote(lambda: __import__("os").environ["RAY_USAGE_STATS_ENABLED"]).remote())
    assert signal.getsignal(signal.SIGTERM) is before
print(enabled, inside)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert ran.stdout == "False 0\n", ran.stderr
