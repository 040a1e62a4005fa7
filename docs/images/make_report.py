"""Makes report.png: ``python -m docs.images.make_report`` in the root of the repository.

The two portraits of demo.jpg as make_live.py moves them for some minutes; what the page shows is what the bundled model
says of them. It needs Chromium.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image as Pillow

from bench.chromium import Browser
from docs.images.make_live import HERE, analyze, compose
from fer_edge import EmotionRecognizer
from fer_edge.rendering.view import View
from fer_edge.reports.files import open_results, read_file
from fer_edge.reports.page import render_page
from fer_edge.reports.page_data import build_page_data
from fer_edge.reports.report import Report
from fer_edge.sinks.jsonl import format_row
from fer_edge.types import Frame, FrameResult

SECONDS = 160
RATE = 2
SIZE = 1280, 760


def make_rows() -> Iterator[bytes]:
    """The rows of both portraits; the second one comes later and leaves for a while."""
    recognizer = EmotionRecognizer(min_face=130)
    for index in range(SECONDS * RATE):
        time_s = index / RATE
        image = compose(2, time_s)
        faces = analyze(recognizer, image, 2)
        if time_s < 20 or 90 < time_s < 105:
            faces = faces[:1]
        yield format_row(View(FrameResult(Frame(image, "interview.mp4", index, time_s), faces)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        rows, page = Path(folder) / "rows.jsonl", Path(folder) / "report.html"
        rows.write_bytes(b"".join(make_rows()))
        report = Report()
        for file in open_results([rows], report.problems):
            report.add(read_file(file, report.problems), file.name)
        report.finish()
        page.write_text(render_page(build_page_data(report), "fer-edge report"), "utf-8")
        with Browser(Path(folder) / "profile") as browser:
            browser.resize(*SIZE)
            browser.open(page.as_uri())
            browser.wait_for("document.querySelector('.axis span') !== null")
            screenshot = Pillow.open(io.BytesIO(browser.screenshot())).convert("RGB")
    few = screenshot.quantize(256, method=Pillow.Quantize.FASTOCTREE, dither=Pillow.Dither.NONE)
    few.save(HERE / "report.png", optimize=True)
