"""Measure a long report: time and memory to create it, and the time until a browser shows it.

    python -m bench.report [--hours 10] [--faces 3]

Synthetic rows at 30 frames per second are piped into ``fer-edge report -``. Requires Chromium (make ci-setup).
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.chromium import Browser
from fer_edge.rendering.palette import EMOTIONS

RATE = 30
KINDS = 1000  # number of distinct score sets
OPENED = "document.readyState === 'complete' && document.querySelector('.axis span') !== null"


def make_face_texts() -> list[str]:
    """Return the score fields of faces as JSON text, moving gradually from one emotion to the next."""
    texts = []
    for kind in range(KINDS):
        weights = [
            0.02 + max(0.0, math.sin(kind / KINDS * math.tau + number)) ** 4
            for number in range(len(EMOTIONS))
        ]
        scores = {label: round(w / sum(weights), 6) for label, w in zip(EMOTIONS, weights, strict=True)}
        emotion = max(scores, key=scores.__getitem__)
        texts.append(
            f'"confidence": null, "emotion": "{emotion}", "score": {scores[emotion]}, '
            f'"scores": {json.dumps(scores)}}}'
        )
    return texts


def make_rows(hours: float, faces: int) -> Iterator[bytes]:
    """Yield rows in chunks; each face leaves from time to time and returns with a new id."""
    texts = make_face_texts()
    rows: list[str] = []
    for frame in range(round(hours * 3600 * RATE)):
        shown = []
        for number in range(faces):
            visit, within = divmod(frame + 5000 * number, 30_000)
            if within < 25_000:
                face_id = visit * faces + number
                shown.append(
                    f'{{"id": {face_id}, "box": [9, 9, 99, 99], {texts[(frame // 7 + 99 * number) % KINDS]}'
                )
        rows.append(
            f'{{"source": "long.mp4", "frame": {frame}, "time_s": {frame / RATE:.6f}, "clock": null, '
            f'"faces": [{", ".join(shown)}]}}\n'
        )
        if len(rows) == 1000:
            yield "".join(rows).encode()
            rows.clear()
    yield "".join(rows).encode()


def make_report(hours: float, faces: int, page: Path) -> dict[str, Any]:
    """Pipe the rows into ``fer-edge report`` and return time, memory and sizes."""
    began = time.monotonic()
    program = [sys.executable, "-m", "fer_edge", "report", "-", "-o", str(page)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        size = 0
        for rows in make_rows(hours, faces):
            process.stdin.write(rows)
            size += len(rows)
        process.stdin.close()
        assert process.wait() == 0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "hours": hours,
        "faces": faces,
        "rows_mb": round(size / 1e6),
        "page_mb": round(page.stat().st_size / 1e6, 2),
        "made_in_s": round(time.monotonic() - began, 1),
        "processor_s": round(used.ru_utime + used.ru_stime, 1),
        "memory_mb": round(used.ru_maxrss / 1024),
    }


def open_page(page: Path, profile: Path) -> float:
    """Return the seconds from navigation to the drawn chart, the best of three."""
    times = []
    with Browser(profile) as browser:
        browser.resize(1440, 900)
        for _ in range(3):
            browser.open("about:blank")
            browser.wait_for("location.href === 'about:blank'")
            began = time.monotonic()
            browser.open(page.as_uri())
            browser.wait_for(OPENED)
            times.append(time.monotonic() - began)
    return min(times)


def main() -> None:
    """Measure a report and print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="bench.report", description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--faces", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        figures = make_report(options.hours, options.faces, page)
        figures["opened_in_s"] = round(open_page(page, Path(folder) / "profile"), 2)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
