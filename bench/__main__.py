"""Measure the figures in the README: ``python -m bench [--video FILE]`` writes ``bench/results.json``.

``--only`` repeats one part and keeps the stored results of the other.
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
from fer_edge.runtime.system import count_processors

RESULTS = Path(__file__).with_name("results.json")


def find_downloaded_yunet() -> Path | None:
    """Return the model file that ``fer-edge get yunet`` downloads, or None if it is missing."""
    try:
        return find_detector_file("yunet")
    except ModelError:
        return None


def main() -> None:
    """Run the benchmarks, write the results and print them as tables."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--video", type=Path, help="video to loop (default: composed from the portrait)")
    parser.add_argument("--baseline", type=Path, help="fer-edge program of another version to compare with")
    parser.add_argument("--yunet", type=Path, help="YuNet model (default: the downloaded one)")
    parser.add_argument("--only", choices=("speed", "training"), help="part to measure")
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if options.only and RESULTS.exists() else {}
    results |= {
        "machine": f"{platform.system()} {platform.machine()}, {count_processors()} processors",
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
