"""Measure how far the runtime lags behind an RTSP stream over several minutes.

    python -m bench.rtsp_lag [--minutes 10] [--slow 0.1]

Requires Debian's GStreamer (make ci-setup). The camera draws its clock into each frame, so the lag includes encoding,
network, decoding and waiting. With --slow, the consumer spends that many seconds on each frame. "held" is the part of
the lag inside this program, counted from the frame's arrival; the camera causes the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.sources.registry import create_source
from fer_edge.types import Frame

CAMERA = Path(__file__).with_name("rtsp_clock.py")
BITS = 32  # number of bars; each is one bit of the monotonic clock in milliseconds


def read_clock(gray: Any) -> float:
    """Read the time shown in a frame, in seconds of the monotonic clock."""
    height, width = gray.shape
    row = gray[height // 2].astype(int)
    centers = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    bits = row[centers] > 128
    return int(sum(1 << place for place, bit in enumerate(bits) if bit)) / 1000


def measure(url: str, minutes: float, slow_s: float) -> dict[str, Any]:
    """Return the lag in seconds, per minute and overall."""
    lags: list[float] = []
    held: list[float] = []  # since the frame's packet arrived in this program
    per_minute: list[float] = []
    began = time.monotonic()
    with create_source("camera", url) as source:
        first_s = time.monotonic() - began
        for item in source:
            if isinstance(item, Frame):
                now_s = time.monotonic()
                assert item.clock is not None
                held.append(time.time() - item.clock.timestamp())
                lags.append((now_s - read_clock(item.gray)) % (2**BITS / 1000))
                time.sleep(slow_s)
                if now_s - began > 60 * (len(per_minute) + 1):
                    per_minute.append(round(max(lags[-200:]), 3))
            if time.monotonic() - began > 60 * minutes:
                break
    steady = np.array(lags[10:])
    return {
        "minutes": minutes,
        "slow_s": slow_s,
        "frames": len(lags),
        "first_frame_s": round(first_s, 2),
        "lag_median_s": round(float(np.median(steady)), 3),
        "lag_p99_s": round(float(np.quantile(steady, 0.99)), 3),
        "lag_most_s": round(float(steady.max()), 3),
        "held_p99_s": round(float(np.quantile(held[10:], 0.99)), 3),
        "held_most_s": round(max(held[10:]), 3),
        "load_average": round(os.getloadavg()[0], 1),
        "most_at_each_minute_s": per_minute,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Start the camera, measure the lag and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--slow", type=float, default=0.0, metavar="SECONDS")
    options = parser.parse_args()
    camera = subprocess.Popen(["/usr/bin/python3", str(CAMERA)], stdout=subprocess.PIPE, text=True)
    try:
        assert camera.stdout is not None
        port = camera.stdout.readline().strip()
        if not port:
            sys.exit("cannot start the RTSP camera; install its requirements: make ci-setup")
        print(json.dumps(measure(f"rtsp://127.0.0.1:{port}/live", options.minutes, options.slow), indent=2))
    finally:
        camera.kill()
        camera.wait()


if __name__ == "__main__":
    main()
