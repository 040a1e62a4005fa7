"""Measure what rules and MQTT cost: CPU time per frame with and without them, alternately.

    python -m bench.events [--rounds N] [--frames N] [--seconds S]

The first measurement leaves out detection and classification: rules, queue and connection alone, with 30 synthetic
results per second that contain one face. The second runs a video at full speed. The third reads a loopback camera at
30 frames per second; on a busy machine its noise exceeds the difference. Requires Mosquitto.
"""

from __future__ import annotations

import argparse
import http.server
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from bench import media
from bench.broker import Broker
from fer_edge.events.dispatch import EventDispatcher
from fer_edge.events.registry import create_action
from fer_edge.events.rules import parse_rule
from fer_edge.rendering.view import View
from fer_edge.sinks.mqtt.address import TlsFiles, parse_address
from fer_edge.sinks.mqtt.sink import MqttSink
from fer_edge.types import Detection, EmotionScores, FaceBox, FaceResult, Frame, FrameResult, StreamInfo

RULES = ("happy > 0.8 for 2s", "any sad > 0.6 for 5s every 1m", "no face for 60s", "faces >= 3")
RATE = 30.0
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def cpu_per_frame_ms(folder: Path, command: Sequence[str]) -> float:
    """Return the CPU milliseconds per frame of a ``fer-edge`` run, including its startup."""
    summary = folder / "summary.json"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "fer_edge", *command, "--summary", str(summary), "--overwrite"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    frames: int = json.loads(summary.read_text())["frames"]
    return 1000 * spent_s / frames


class Camera:
    """An MJPEG camera on loopback that loops the frames of a video at 30 per second."""

    def __init__(self, video: Path) -> None:
        capture = cv2.VideoCapture(str(video))
        images: list[bytes] = []
        while (read := capture.read())[0]:
            images.append(cv2.imencode(".jpg", read[1])[1].tobytes())

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                started, sent = time.monotonic(), 0
                try:
                    while True:
                        image = images[sent % len(images)]
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
                        self.wfile.write(head.encode() + image + b"\r\n")
                        sent += 1
                        time.sleep(max(0.0, started + sent / RATE - time.monotonic()))
                except OSError:
                    return

            def log_message(self, *_: object) -> None:
                """Suppress the access log."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"


def cpu_alone_ms(broker: Broker, seconds: float, *, active: bool) -> float:
    """Return the CPU milliseconds per frame for synthetic results with one face, 30 per second.

    ``active`` runs rules and MQTT on them; otherwise the results are only created.
    """
    sink = MqttSink(
        parse_address(f"mqtt://127.0.0.1:{broker.port}/bench/alone", TlsFiles(), {}),
        labels=LABELS,
        model="default",
        rules=RULES,
    )
    pairs = [
        (parse_rule(rule, LABELS), create_action("mqtt:bench/alarm", sink.publish_event)) for rule in RULES
    ]
    dispatcher = EventDispatcher(pairs)
    dispatcher.listen(lambda event: sink.publish_event(event.as_record()))
    if active:
        sink.open(StreamInfo(name="0", live=True), threading.Event())
    time.sleep(1)
    image = np.zeros((48, 64, 3), np.uint8)
    started, before_s = time.monotonic(), time.process_time()
    frames = int(RATE * seconds)
    for number in range(frames):
        high, rest = (0.9, 0.1 / 6) if number // 90 % 2 else (0.5, 0.5 / 6)
        scores = EmotionScores(LABELS, tuple(high if label == "happy" else rest for label in LABELS))
        face = FaceResult(1, Detection(FaceBox(10, 10, 20 + number % 5, 20)), scores, "happy")
        result = FrameResult(
            Frame(image, "0", number, number / RATE, clock=datetime.now().astimezone()), (face,)
        )
        if active:
            dispatcher.handle_result(result)
            sink.write(View(result))
        time.sleep(max(0.0, started + number / RATE - time.monotonic()))
    spent_s = time.process_time() - before_s
    sink.close()
    return 1000 * spent_s / frames


def main() -> None:
    """Run the three measurements and print them."""
    parser = argparse.ArgumentParser(prog="bench.events", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=3000, help="length of the video")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each camera run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        once = media.faces_video(folder / "once.mp4", 1, 300)
        clip = folder / "clip.mp4"
        media.looped_video(clip, once, frames=options.frames)
        camera = Camera(once)
        inputs = {
            "video": ("video", str(clip)),
            "camera": ("camera", camera.url, "--no-show", "--duration", str(options.seconds)),
        }
        rules = [part for rule in RULES for part in ("--when", rule, "--then", "mqtt:bench/alarm")]
        with Broker(folder) as broker:
            mqtt = ["--mqtt", f"mqtt://127.0.0.1:{broker.port}/bench/camera"]
            variants = {"without": [], "rules and MQTT": [*rules, *mqtt], "MQTT": mqtt}
            alone = []
            for _ in range(options.rounds):
                without = cpu_alone_ms(broker, options.seconds, active=False)
                alone.append(cpu_alone_ms(broker, options.seconds, active=True) - without)
            print(
                f"alone: {statistics.median(alone):.3f} ms ({min(alone):.3f} to {max(alone):.3f})", flush=True
            )
            for kind, command in inputs.items():
                figures: dict[str, list[float]] = {variant: [] for variant in variants}
                for _ in range(options.rounds):
                    for variant, more in variants.items():
                        figures[variant].append(cpu_per_frame_ms(folder, [*command, *more]))
                base = figures["without"]
                for variant, values in figures.items():
                    more_of_each = [value / least - 1 for value, least in zip(values, base, strict=True)]
                    print(
                        f"{kind}, {variant}: {statistics.median(values):.3f} ms of CPU time per frame "
                        f"({min(values):.3f} to {max(values):.3f}), {statistics.median(more_of_each):+.1%}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
