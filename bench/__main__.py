"""Measure the figures of the README: ``python -m bench [--video FILE]`` writes ``bench/results.json``.

``--only`` measures one part anew and leaves the other as it was.
"""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path

from bench import speed, training
from fer_edge.errors import ModelError
from fer_edge.models.detector_files import find_detector_file
from fer_edge.runtime.system import processor_count

RESULTS = Path(__file__).with_name("results.json")


def find_downloaded_yunet() -> Path | None:
    """The file of ``fer-edge get yunet``; None where it has not been downloaded."""
    try:
        return find_detector_file("yunet")
    except ModelError:
        return None


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--video", type=Path, help="a video to loop (default: one composed from the portrait)"
    )
    parser.add_argument("--baseline", type=Path, help="the fer-edge of another version, to compare with")
    parser.add_argument("--yunet", type=Path, help="YuNet's model (default: the one that was downloaded)")
    parser.add_argument("--only", choices=("speed", "training"))
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if options.only and RESULTS.exists() else {}
    results |= {
        "machine": f"{platform.system()} {platform.machine()}, {processor_count()} processors",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "opencv-python-headless", "av", "ai-edge-litert")},
        },
    }
    if options.only != "training":
        results["speed"] = speed.measure(
            options.video, options.baseline, options.yunet or find_downloaded_yunet()
        )
    if options.only != "speed":
        results["training"] = training.measure()
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print("| figure | value |\n| --- | ---: |")
    for name, value in results.get("speed", {}).items():
        print(f"| {name} | {value} |")
    columns = ("architecture", "backend", "images_per_s", "input_alone_images_per_s", "peak_memory_mb")
    print(f"\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for row in results.get("training", []):
        print(f"| {' | '.join(str(row[column]) for column in columns)} |")


if __name__ == "__main__":
    main()
