"""Measure the figures of the README: ``python -m bench [--video FILE]`` writes ``bench/results.json``."""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path

from bench import speed
from fer_edge.recognizer import processor_count

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--video", type=Path, help="a video to loop (default: one composed from the portrait)"
    )
    options = parser.parse_args()
    results = {
        "machine": f"{platform.system()} {platform.machine()}, {processor_count()} processors",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "opencv-python-headless", "ai-edge-litert")},
        },
        "speed": speed.measure(options.video),
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print("| figure | value |\n| --- | ---: |")
    for name, value in results["speed"].items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
