"""Measure the live view: ``python -m bench.live`` prints its latency and the cost of viewers as JSON.

A separate camera process sends MJPEG over loopback at 30 frames per second. Each frame shows the portrait, with the
current time drawn as black and white squares. ``fer-edge camera --serve`` reads it. Run this on an idle machine.

- latency_ms: from the camera's clock to the pixels of the page in Chromium, read back from its canvas after each
  image. Includes encoding in the camera, decoding, analysis, encoding for the page, and the browser.
- client_latency_ms: the same, up to a client in this process that has received and decoded the image.
- cpu_ms_per_frame: CPU time of the run, without viewers and with three that read images and events.
"""

from __future__ import annotations

import argparse
import http.server
import json
import multiprocessing
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from bench.chromium import Browser
from bench.media import PORTRAIT
from fer_edge.runtime.system import describe_machine

RATE: Final = 30.0
SIZES: Final = ((640, 480), (1280, 720))
BITS: Final = 32  # of a time in milliseconds
CELL: Final = 12  # side of a square, in pixels
VIEWERS: Final = 3


def main() -> None:
    """Measure latency and CPU time at each size, and print them as JSON."""
    parser = argparse.ArgumentParser(prog="bench.live", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of the CPU measurement")
    options = parser.parse_args()
    figures: dict[str, Any] = {"machine": describe_machine()}
    for size in SIZES:
        with camera(size) as url:
            figures["x".join(map(str, size))] = {
                **measure_latency(url, options.seconds),
                **measure_cpu(url, options.seconds, options.rounds),
            }
    print(json.dumps(figures, indent=2))


# --- the camera ---


def draw_time(image: np.ndarray, milliseconds: int) -> None:
    """Draw a number along the top edge, lowest bit first; white is 1."""
    for bit in range(BITS):
        image[0:CELL, bit * CELL : (bit + 1) * CELL] = 255 if milliseconds >> bit & 1 else 0


def read_time(image: np.ndarray) -> int:
    """Read the number drawn along the top edge."""
    row = image[CELL // 2, CELL // 2 : BITS * CELL : CELL].mean(axis=-1) > 127
    return sum(int(bit) << place for place, bit in enumerate(row))


def now_ms() -> int:
    """Return the low bits of the wall clock, which the browser shares, in milliseconds."""
    return int(1000 * time.time()) & (1 << BITS) - 1


@contextmanager
def camera(size: tuple[int, int]) -> Iterator[str]:
    """Run a camera in a separate process and yield its URL."""
    context = multiprocessing.get_context("spawn")
    port, ending = context.Queue(), context.Event()
    process = context.Process(target=serve_camera, args=(size, port, ending))
    process.start()
    try:
        yield f"http://127.0.0.1:{port.get(timeout=60)}/"
    finally:
        ending.set()
        process.join(10)
        process.kill()


def serve_camera(size: tuple[int, int], port: Any, ending: Event) -> None:
    """Send MJPEG to every client until ``ending`` is set; put the port into ``port``."""
    width, height = size
    scene = np.full((height, width, 3), 110, np.uint8)
    portrait = cv2.imread(str(PORTRAIT))
    assert portrait is not None
    portrait = cv2.resize(
        portrait, None, fx=0.85 * height / portrait.shape[0], fy=0.85 * height / portrait.shape[0]
    )
    noise = np.random.default_rng(0).integers(0, 6, (height, width, 3), np.uint8)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            started, number = time.perf_counter(), 0
            try:
                while not ending.is_set():
                    image = scene.copy()
                    x = int((width - portrait.shape[1]) / 2 * (1 + 0.3 * np.sin(number / 30)))
                    image[-portrait.shape[0] :, x : x + portrait.shape[1]] = portrait
                    image += np.roll(noise, number, 1) * (image < 249)
                    draw_time(image, now_ms())
                    content = cv2.imencode(".jpg", image)[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
                    self.wfile.write(head.encode() + content + b"\r\n")
                    number += 1
                    time.sleep(max(0.0, started + number / RATE - time.perf_counter()))
            except OSError:
                return

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port.put(server.server_address[1])
    ending.wait()


# --- the run ---


@contextmanager
def served(url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``fer-edge camera --serve``; yield the process and its URL once frames are analyzed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_edge", "camera", url, "--serve", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        match = re.match(r"Live view: (\S+)", process.stderr.readline())
        assert match
        while not is_healthy(match[1]):
            time.sleep(0.1)
        yield process, match[1]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def is_healthy(url: str) -> bool:
    """Return whether the run reports that frames arrive."""
    try:
        with urllib.request.urlopen(f"{url}healthz", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def measure_latency(url: str, seconds: float) -> dict[str, Any]:
    """Measure the latency from the camera's clock to a page's pixels, and to a plain client."""
    with served(url) as (_, address):
        with tempfile.TemporaryDirectory() as profile, Browser(Path(profile)) as browser:
            browser.resize(1440, 900)
            browser.open(address)
            browser.wait_for("document.querySelector('#image')?.dataset.count > 10", 60)
            page = browser.evaluate(_WATCH % {"bits": BITS, "cell": CELL, "ms": int(1000 * seconds)})
        client = [age for age in watch_as_client(address, seconds) if age >= 0]
    return {"latency_ms": describe(page), "client_latency_ms": describe(client), "images": len(page)}


# Reads the squares from the page's canvas after each new image.
_WATCH: Final = """new Promise((done) => {
  const ages = [], canvas = document.querySelector("#image");
  const copy = new OffscreenCanvas(%(bits)d * %(cell)d, %(cell)d).getContext("2d", { willReadFrequently: true });
  const watcher = new MutationObserver(() => requestAnimationFrame(() => {
    copy.drawImage(canvas, 0, 0);
    const data = copy.getImageData(0, %(cell)d / 2, %(bits)d * %(cell)d, 1).data;
    let sent = 0;
    for (let bit = 0; bit < %(bits)d; bit++) {
      if (data[4 * (bit * %(cell)d + %(cell)d / 2)] > 127) sent += 2 ** bit;
    }
    ages.push((Date.now() %% 2 ** %(bits)d) - sent);
  }));
  watcher.observe(canvas, { attributes: true, attributeFilter: ["data-count"] });
  setTimeout(() => { watcher.disconnect(); done(ages); }, %(ms)d);
})"""


def watch_as_client(address: str, seconds: float) -> Iterator[float]:
    """Yield the age of each image in milliseconds, once it is received and decoded."""
    ends = time.monotonic() + seconds
    with urllib.request.urlopen(f"{address}stream", timeout=10) as answer:
        while time.monotonic() < ends:
            line = answer.readline()
            if line.lower().startswith(b"content-length:"):
                answer.readline()
                content = answer.read(int(line.split(b":")[1]))
                image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
                assert image is not None
                yield now_ms() - read_time(image)


def measure_cpu(url: str, seconds: float, rounds: int) -> dict[str, Any]:
    """Measure the CPU time of a run without and with viewers, alternately."""
    alone, watched = [], []
    with served(url) as (process, address):
        for _ in range(rounds):
            alone.append(cpu_per_frame(process.pid, address, seconds))
            with viewers(address):
                time.sleep(1)
                watched.append(cpu_per_frame(process.pid, address, seconds))
    before, after = statistics.median(alone), statistics.median(watched)
    return {
        "cpu_ms_per_frame": {
            "alone": round(before, 2),
            "three_viewers": round(after, 2),
            "added_percent": round(100 * (after / before - 1), 1),
            "rounds_added_percent": [
                round(100 * (b / a - 1), 1) for a, b in zip(alone, watched, strict=True)
            ],
        }
    }


@contextmanager
def viewers(address: str) -> Iterator[None]:
    """Run viewers that read images and events, as pages do."""
    processes = [
        subprocess.Popen([sys.executable, "-c", _READ, f"{address}{path}"])
        for _ in range(VIEWERS)
        for path in ("stream", "events")
    ]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


_READ: Final = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1]) as answer:
    while answer.read1(65536):
        pass
"""


def cpu_per_frame(pid: int, address: str, seconds: float) -> float:
    """Return the CPU milliseconds of a process per frame, so that dropped frames do not distort it."""
    cpu, frames = cpu_seconds(pid), count_frames(address)
    time.sleep(seconds)
    return 1000 * (cpu_seconds(pid) - cpu) / max(1, count_frames(address) - frames)


def count_frames(address: str) -> int:
    """Return the number of frames analyzed so far."""
    with urllib.request.urlopen(f"{address}metrics", timeout=10) as answer:
        found = re.search(r"^fer_edge_frames_total (\d+)", answer.read().decode(), re.MULTILINE)
    assert found
    return int(found[1])


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds a process has used so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def describe(milliseconds: Sequence[float]) -> dict[str, float | None]:
    """Return the median and the 95th percentile."""
    if len(milliseconds) < 2:
        return {"p50": None, "p95": None}
    return {
        "p50": round(statistics.median(milliseconds), 1),
        "p95": round(statistics.quantiles(milliseconds, n=20)[-1], 1),
    }


if __name__ == "__main__":
    main()
