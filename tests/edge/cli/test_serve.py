"""``--serve``: the live view of a run."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.types import Image
from tests.edge.sinks.http.serving import TOKEN, Served
from tests.edge.support import FerEdge, make_view, run_fer_edge, run_python, wait_until


@contextmanager
def running(
    *arguments: object, env: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run with ``--serve``; yield the process and the URL that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_edge", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        match = re.match(r"Live view: (http://\S+)", line)
        assert match, line
        yield process, match[1]
    finally:
        process.kill()
        process.communicate()


def fetch(url: str, **headers: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError:
        return 0, b""


def test_a_recorded_video_is_served_and_does_not_wait_for_viewers(clip: Path, tmp_path: Path) -> None:
    done = run_fer_edge("video", clip, "--serve", 0, "-r", "-")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == list(range(24))
    assert re.fullmatch(r"Live view: http://127\.0\.0\.1:\d+/\n", done.stderr)


@pytest.fixture
def camera(portrait: Image) -> Iterator[str]:
    """Yield the URL of a loopback camera, which is itself a live view of a portrait."""
    small = np.asarray(cv2.resize(portrait, (410, 480)), np.uint8)
    with Served() as served:
        served.feed(0.05, lambda number: make_view(number, faces=0, image=small))
        yield f"{served.sink.url}stream"


def test_a_camera_is_seen_until_the_run_is_interrupted(camera: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    with running("camera", camera, "--serve", 0, "-r", rows) as (process, url):
        wait_until(lambda: fetch(f"{url}healthz")[0] == 200)
        status, jpeg = fetch(f"{url}snapshot.jpg")
        assert status == 200
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape == (480, 410, 3)
        wait_until(lambda: b"fer_edge_faces 1\n" in fetch(f"{url}metrics")[1])
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "frames a second" in stdout
    assert "Traceback" not in stderr
    assert "no window" not in stderr.lower()
    assert rows.read_text().count("\n") > 0
    assert fetch(url)[0] == 0


def test_a_folder_of_videos_is_one_view(clip: Path) -> None:
    done = run_fer_edge("video", clip, clip, "--serve", 0)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Live view: ") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--serve", "x"], 2, "expected a port or HOST:PORT to serve on, such as 8080"),
        (["--serve", ""], 2, "expected a port or HOST:PORT to serve on"),
        (["--serve", "70000"], 2, "expected a port from 0 to 65535"),
        (["--serve", "nowhere.invalid:80"], 1, "unknown host"),
        (["--serve", "192.0.2.77:8080"], 1, "not an address of this machine"),
        (
            ["-o", "http:8080"],
            2,
            "--output writes files; for a live view in a browser use --serve [HOST:]PORT",
        ),
    ],
)
@pytest.mark.parametrize("command", [("camera", "/dev/video99"), ("video", "missing.mp4")])
def test_an_address_that_cannot_be_served_is_refused_before_anything_is_opened(
    fer_edge: FerEdge, command: tuple[str, str], arguments: list[str], status: int, message: str, clip: Path
) -> None:
    source = str(clip) if command[0] == "video" else command[1]
    done = fer_edge(command[0], source, *arguments)
    assert done.returncode == status
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line


def test_a_port_in_use_is_refused(fer_edge: FerEdge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = fer_edge("camera", "/dev/video99", "--serve", taken.getsockname()[1])
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "the port is already in use; choose another, or 0" in line


@pytest.mark.parametrize("command", ["image", "folder"])
def test_still_images_are_not_served(fer_edge: FerEdge, command: str, images: Path) -> None:
    done = fer_edge(command, images, "--serve", 0)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "Error: --serve shows only cameras and videos; view images with --output or --show"
    )


def test_a_camera_that_cannot_be_opened_ends_the_view(fer_edge: FerEdge) -> None:
    done = fer_edge("camera", "/dev/video99", "--serve", 0)
    assert done.returncode == 1
    view, error = done.stderr.splitlines()
    assert view.startswith("Live view: http://127.0.0.1:")
    assert error.startswith("Error: camera /dev/video99: ")
    port = int(view.rstrip("/").rpartition(":")[2])

    def is_free() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    wait_until(is_free)


@pytest.mark.parametrize("token", ["short", "no spaces are allowed"])
def test_a_token_that_is_easily_guessed_is_refused(
    fer_edge: FerEdge, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("FER_EDGE_TOKEN", token)
    done = fer_edge("camera", "/dev/video99", "--serve", 0)
    assert done.returncode == 2
    assert "in FER_EDGE_TOKEN" in done.stderr
    assert token not in done.stderr


def test_the_token_of_the_environment_is_asked_for_and_not_printed(
    fer_edge: FerEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EDGE_TOKEN", TOKEN)
    done = fer_edge("camera", "/dev/video99", "--serve", "0.0.0.0:0")
    assert "(requires the token in FER_EDGE_TOKEN)" in done.stderr
    assert TOKEN not in done.stderr


def test_a_random_token_is_part_of_the_address(fer_edge: FerEdge) -> None:
    done = fer_edge("camera", "/dev/video99", "--serve", "0.0.0.0:0")
    assert re.match(r"Live view: http://[\w.:-]+/\?token=[\w-]{22}\n", done.stderr)


def test_ids_are_drawn_for_it(fer_edge: FerEdge, clip: Path) -> None:
    assert fer_edge("video", clip, "--ids").returncode == 2
    assert fer_edge("video", clip, "--ids", "--serve", 0, "--max-frames", 2).returncode == 0


def test_it_is_loaded_only_when_asked_for(clip: Path) -> None:
    script = (
        "import sys\n"
        "from fer_edge.cli.app import run_command\n"
        "from fer_edge.cli.main import cli\n"
        "status = run_command(cli, sys.argv[1:], 'fer-edge')\n"
        "loaded = [name for name in sys.modules if '.sinks.http' in name or name == 'socketserver']\n"
        "sys.exit(status or ' '.join(loaded) or 0)"
    )
    done = run_python(script, "video", clip, "--max-frames", 2)
    assert done.returncode == 0, done.stderr
