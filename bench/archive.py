"""Measure ``fer-edge archive``: cost per hour, speed relative to ``video``, nodes, sections, a million paths.

    python -m bench.archive [cost] [ratio] [nodes] [sections] [million] [--seconds S] [--out FILE]

Runs every part unless some are named. For ratios, the two variants run alternately on this machine; Ray's startup
time is not counted. The videos are synthetic: 960×540 pixels, 30 frames per second, one face. Requires the
``archive`` extra.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_edge.archive.folder import ArchiveFolder, SourceTable
from fer_edge.archive.manifest import SourceJob, format_key, read_manifest
from fer_edge.archive.options import AnalysisOptions, Identity
from fer_edge.archive.reading import list_row_files, read_frames
from fer_edge.archive.run import ArchiveProgress, ArchiveRun
from fer_edge.archive.storage import Storage
from fer_edge.archive.summary import SourceSummary
from fer_edge.archive.tasks import TaskContext, run_source
from fer_edge.benchmark.synthetic_video import write_synthetic_video
from fer_edge.models.find_model import find_model
from fer_edge.recognizer import EmotionRecognizer
from fer_edge.runtime.system import describe_machine
from fer_edge.types import FaceBox

RATE = 30
ROUNDS = 3


def make_videos(folder: Path, count: int, seconds: float) -> list[str]:
    """Draw one video and hard-link it under ``count`` names."""
    first = folder / "0.mp4"
    write_synthetic_video(first, round(seconds * RATE))
    for number in range(1, count):
        os.link(first, folder / f"{number}.mp4")
    return [str(folder / f"{number}.mp4") for number in range(count)]


def analyze(paths: list[str], out: Path, threads: int, cluster: str | None = None) -> ArchiveProgress:
    """Create an archive and return its progress; the elapsed time starts once Ray is ready."""
    run = ArchiveRun(AnalysisOptions(), read_manifest(paths, ()), str(out), threads=threads, cluster=cluster)
    return run.run()[0]


def measure_cost(folder: Path, seconds: float) -> dict[str, Any]:
    """Measure CPU time and bytes per hour of video, in a warmed-up worker without Ray."""
    (video,) = make_videos(folder, 1, seconds)
    run = ArchiveRun(AnalysisOptions(), read_manifest([video], ()), str(folder / "out"))
    model = find_model()
    archive = ArchiveFolder(Storage.of(run.out))
    identity = Identity.from_options(run.options, model, {})
    archive.prepare(identity, overwrite=False)
    context, job = TaskContext(run.options, identity, archive.storage), run.manifest.job(0)
    run_source(context, job)
    began = time.process_time()
    run_source(context, job)
    cpu_s = time.process_time() - began
    size = Path(archive.storage.address(job.file)).stat().st_size
    return {
        "frames": round(seconds * RATE),
        "cpu_ms_a_frame": 1000 * cpu_s / (seconds * RATE),
        "core_hours_an_hour": cpu_s / seconds,
        "mb_an_hour": size / 1e6 / seconds * 3600,
    }


def measure_ratio(folder: Path, seconds: float) -> dict[str, Any]:
    """Compare two archive workers with ``fer-edge video`` on two threads, for eight videos, alternately."""
    videos = make_videos(folder, 8, seconds)
    frames, rounds = 8 * round(seconds * RATE), []
    for number in range(ROUNDS):
        summary = folder / f"summary{number}.json"
        command = [sys.executable, "-m", "fer_edge", "video", *videos, "--threads", "2", "-q"]
        subprocess.run(
            [*command, "-r", str(folder / f"rows{number}.csv"), "--summary", str(summary)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        video = frames / json.loads(summary.read_text())["duration_s"]
        progress = analyze(videos, folder / f"archive{number}", 2)
        rounds.append({"video_fps": video, "archive_fps": frames / progress.elapsed_s})
    ratios = sorted(each["archive_fps"] / each["video_fps"] for each in rounds)
    return {"rounds": rounds, "ratio": ratios[len(ratios) // 2]}


def measure_nodes(folder: Path, seconds: float) -> dict[str, Any]:
    """Compare one and two simulated single-CPU nodes on eight videos, alternately."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    videos = make_videos(folder, 8, seconds)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1)]
    rounds = []
    try:
        for number in range(ROUNDS):
            one = analyze(videos, folder / f"one{number}", 1, cluster.address).elapsed_s
            nodes.append(cluster.add_node(num_cpus=1))
            cluster.wait_for_nodes()
            two = analyze(videos, folder / f"two{number}", 2, cluster.address).elapsed_s
            cluster.remove_node(nodes.pop())
            rounds.append({"one_node_s": one, "two_nodes_s": two})
    finally:
        cluster.shutdown()
    ratios = sorted(each["one_node_s"] / each["two_nodes_s"] for each in rounds)
    return {"rounds": rounds, "ratio": ratios[len(ratios) // 2]}


def measure_sections(folder: Path, seconds: float) -> dict[str, Any]:
    """Compare the rows of a long video, analyzed in sections, with those of ``fer-edge video``.

    Returns the share of faces with a matching box and with the same label, and the bytes per hour.
    """
    (video,) = make_videos(folder, 1, 4 * seconds)
    with EmotionRecognizer(threads=2) as recognizer:
        reference = [result.as_record() for result in recognizer.stream(video)]
    found: dict[str, Any] = {}
    for section_s in (0.0, seconds):
        out = folder / f"sections{section_s:g}"
        options = AnalysisOptions(section_s=section_s)
        ArchiveRun(options, read_manifest([video], ()), str(out), threads=2).run()
        (file,) = list_row_files(out)
        faces = placed = same = 0
        for ours, theirs in zip(read_frames(file), reference, strict=True):
            assert (ours["frame"], ours["time_s"]) == (theirs["frame"], theirs["time_s"])
            for face in theirs["faces"]:
                near = [f for f in ours["faces"] if FaceBox(*f["box"]).iou(FaceBox(*face["box"])) >= 0.7]
                faces, placed = faces + 1, placed + bool(near)
                same += any(f["emotion"] == face["emotion"] for f in near)
        found[f"sections of {section_s:g} s"] = {
            "faces": faces,
            "in_place": placed / faces,
            "label": same / faces,
            "mb_an_hour_at_30_fps": file.stat().st_size / 1e6 / (4 * seconds) * 3600,
        }
    return found


def measure_million(folder: Path, count: int = 1_000_000) -> dict[str, Any]:
    """List, plan and resume a manifest of a million paths, half of them done, in a separate process."""
    manifest = folder / "manifest.csv"
    with manifest.open("w") as file:
        file.write("path,participant\n")
        file.writelines(f"/data/{n // 1000:04d}/interview-{n:07d}.mp4,{n % 977:05d}\n" for n in range(count))
    finish_half(manifest, folder / "out")
    code = f"import bench.archive as b; b.resume({str(manifest)!r}, {str(folder / 'out')!r})"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def open_million(manifest: Path | str, out: Path | str) -> tuple[ArchiveRun, SourceTable]:
    """Open a run and its source table, as a run does before it starts Ray."""
    model = find_model()
    run = ArchiveRun(AnalysisOptions(), read_manifest([str(manifest)], model.spec.labels), str(out))
    extra_columns = run.manifest.extra_columns
    folder = ArchiveFolder(Storage.of(str(out)))
    identity = Identity.from_options(
        run.options, model, {field.name: str(field.type) for field in extra_columns}
    )
    folder.prepare(identity, overwrite=False)
    return run, SourceTable(folder, extra_columns)


def finish_half(manifest: Path, out: Path) -> None:
    """Mark every other source as complete, with an empty row file."""
    run, table = open_million(manifest, out)
    table.load()
    extra_columns = run.manifest.job(
        0
    ).extra_columns  # of every source; building one per source takes a minute
    for shard in range(256):
        (out / f"rows/{shard:02x}").mkdir(parents=True)
    addresses = run.manifest.table.column("address").to_pylist()
    for index in range(0, len(addresses), 2):
        address = addresses[index]
        job = SourceJob(format_key(run.manifest.keys[index]), address, address, extra_columns)
        table.add(
            SourceSummary(key=job.key, source=address, address=address, file=job.file, status="complete"),
            extra_columns,
        )
        (out / job.file).touch()
        if index % 100_000 == 0:
            table.select([])  # merges the added rows into the table
    table.write()


def resume(manifest: str, out: str) -> None:
    """Print the time and memory needed to list and plan a half-finished archive."""
    began = time.perf_counter()
    run, table = open_million(manifest, out)
    listed = time.perf_counter()
    missing = run.find_missing(table.load())
    planned = time.perf_counter()
    table.write()
    figures: dict[str, Any] = {
        "paths": len(run.manifest.keys),
        "missing": len(missing),
        "list_s": round(listed - began, 1),
        "plan_and_resume_s": round(planned - listed, 1),
        "write_table_s": round(time.perf_counter() - planned, 1),
        "processor_s": round(time.process_time(), 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(figures))


PARTS: dict[str, Callable[[Path, float], dict[str, Any]]] = {
    "cost": measure_cost,
    "ratio": measure_ratio,
    "nodes": measure_nodes,
    "sections": measure_sections,
    "million": lambda folder, _: measure_million(folder),
}


def main() -> None:
    """Run the selected parts and print their figures."""
    parser = argparse.ArgumentParser(prog="bench.archive", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each video")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    figures: dict[str, Any] = {"machine": describe_machine(), "load": os.getloadavg()[0]}
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            figures[name] = PARTS[name](Path(folder), options.seconds)
        print(json.dumps({name: figures[name]}, indent=2), flush=True)
    if options.out is not None:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
