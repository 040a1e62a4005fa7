"""``--mqtt`` as users run it: messages, rejected options, shutdown, and the hidden password."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.edge.cli import test_camera
from tests.edge.sinks.brokers import Broker, Listener, free_port, read_retained
from tests.edge.support import FerEdge, run_fer_edge, run_python

camera = test_camera.stream
"""A network camera, as a fixture."""

EXAMPLE = "mqtt://127.0.0.1:1/a"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as running:
        yield running


@contextmanager
def start(camera: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``fer-edge camera`` on an endless camera."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_edge", "camera", camera, "--no-show", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


endless = pytest.mark.parametrize("camera", [0], indirect=True)


class TestRuns:
    def test_a_video_s_rows_events_and_state_arrive(self, broker: Broker, clip: Path, tmp_path: Path) -> None:
        summary = tmp_path / "summary.json"
        with Listener(broker.port) as listener:
            done = run_fer_edge(
                *("video", clip, "--mqtt", f"mqtt://127.0.0.1:{broker.port}/home/door", "--summary", summary),
                *(
                    "--when",
                    "face for 500ms",
                    "--then",
                    "mqtt:home/alarm",
                    "--when",
                    "face",
                    "--then",
                    "mqtt",
                ),
            )
            listener.wait_for_payload("home/door/availability", b"offline")
        assert (done.returncode, done.stderr.count("Warning")) == (0, 0), done.stderr
        assert [each.json["rule"] for each in listener.on("home/door/events")] == ["face", "face for 500ms"]
        assert [each.json for each in listener.on("home/alarm")] == [listener.on("home/door/events")[1].json]
        assert listener.on("home/door/faces")[0].json["frame"] == 0
        assert listener.on("home/door/state")[-1].json["faces"] == 1
        assert json.loads(summary.read_text())["warnings"] == []

    def test_without_a_broker_the_run_is_the_same_but_for_a_warning(self, clip: Path, tmp_path: Path) -> None:
        rows, summary = tmp_path / "rows.jsonl", tmp_path / "summary.json"
        done = run_fer_edge(
            *("video", clip, "--mqtt", f"mqtt://127.0.0.1:{free_port()}/a", "-r", rows, "--summary", summary),
            *("--when", "face", "--then", "print"),
        )
        assert done.returncode == 0
        assert len(rows.read_text().splitlines()) == 24
        warnings = json.loads(summary.read_text())["warnings"]
        assert any("retrying" in text for text in warnings)
        assert any("1 event could not be published" in text for text in warnings)

    def test_spans_of_time_need_no_file_of_rows(self, broker: Broker, clip: Path) -> None:
        with Listener(broker.port) as listener:
            done = run_fer_edge(
                "video", clip, "--mqtt", f"mqtt://127.0.0.1:{broker.port}/a", "--every", "0.5"
            )
            assert done.returncode == 0, done.stderr
            listener.wait_for_payload("a/availability", b"offline")
        assert [each.json["frame"] for each in listener.on("a/faces")] == [5, 11, 17, 23]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--mqtt", "broker/topic"), "invalid MQTT broker address"),
        (("--mqtt", "mqtt://host"), "has no topic"),
        (("--mqtt", "mqtt://host/a/+"), "wildcards"),
        (("--mqtt", "mqtt://host/$SYS"), "reserved for the broker"),
        (("--mqtt-ca", "ca.pem"), "specify it with --mqtt"),
        (("--mqtt-cert", "me.pem"), "specify it with --mqtt"),
        (("--mqtt-key", "me.key"), "specify it with --mqtt"),
        (("--mqtt", EXAMPLE, "--mqtt-ca", "ca.pem"), "mqtts://"),
        (("--mqtt", "mqtts://host/a", "--mqtt-key", "me.key"), "--mqtt-cert"),
        (("--when", "happy", "--then", "mqtt:home/alarm"), "specify it with --mqtt"),
        (("--mqtt", EXAMPLE, "--when", "happy", "--then", "mqtt:"), "is empty"),
        (("--when", "happy", "--then", "mqtt"), "specify it with --mqtt"),
        (("--mqtt", EXAMPLE, "--when", "happy", "--then", "mqtt:home/#"), "wildcards"),
        (("--mqtt", EXAMPLE, "--when", "happy", "--then", "mqtt:$SYS/x"), "reserved for the broker"),
        (("--mqtt", EXAMPLE, "--when", "happy", "--then", f"mqtt:{'x' * 70_000}"), "longer than"),
        (("--when", "happy", "--then", "mqtt://me:secret@host/topic"), "takes a topic"),
        (("--every", "1"), "--results"),
    ],
)
def test_impossible_options_are_refused_in_one_line(
    arguments: tuple[str, ...], what: str, fer_edge: FerEdge
) -> None:
    done = fer_edge("video", "no such video", *arguments)
    assert done.returncode == 2
    assert what in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_still_images_are_not_published(fer_edge: FerEdge, portrait_path: Path) -> None:
    done = fer_edge("image", portrait_path, "--mqtt", EXAMPLE)
    assert done.returncode == 2
    assert "only with a video or a camera" in done.stderr


def test_a_file_that_cannot_be_read_is_an_error(fer_edge: FerEdge) -> None:
    done = fer_edge("video", "no such video", "--mqtt", "mqtts://host/a", "--mqtt-ca", "nowhere.pem")
    assert done.returncode == 1
    assert (
        done.stderr
        == "Error: nowhere.pem: cannot read file: No such file or directory; check its name and permissions\n"
    )


def test_without_paho_it_names_the_extra() -> None:
    script = (
        "import sys; sys.modules['paho'] = None\n"
        "from fer_edge.cli.app import run_command; from fer_edge.cli.main import cli\n"
        f"sys.exit(run_command(cli, ['camera', '--mqtt', '{EXAMPLE}'], 'fer-edge'))"
    )
    done = run_python(script)
    assert done.returncode == 1
    assert done.stderr == "Error: paho-mqtt is not installed; install it with: pip install 'fer-edge[mqtt]'\n"


class TestEnd:
    @endless
    @pytest.mark.parametrize(
        ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
    )
    def test_every_exit_publishes_offline(
        self, number: int, status: int, broker: Broker, camera: str
    ) -> None:
        with (
            Listener(broker.port) as listener,
            start(camera, "--mqtt", f"mqtt://127.0.0.1:{broker.port}/a") as process,
        ):
            listener.wait_for("a/faces")
            listener.wait_for_payload("a/availability", b"online")
            process.send_signal(number)
            assert process.wait(30) == status
            listener.wait_for_payload("a/availability", b"offline")
        assert read_retained(broker.port)["a/availability"].payload == b"offline"

    @endless
    @pytest.mark.parametrize("case", ["hangs", "does not run"])
    def test_an_unusable_broker_does_not_block_the_run(self, case: str, broker: Broker, camera: str) -> None:
        with (
            Listener(broker.port) as listener,
            start(camera, "--mqtt", f"mqtt://127.0.0.1:{broker.port}/a") as process,
        ):
            listener.wait_for("a/faces")
            if case == "hangs":
                broker.pause()
            else:
                broker.stop()
            process.terminate()
            try:
                assert process.wait(20) == 143
            finally:
                if case == "hangs":
                    broker.resume()


class TestPassword:
    def test_the_password_is_in_no_message_and_no_summary(self, clip: Path, tmp_path: Path) -> None:
        summary, port = tmp_path / "summary.json", free_port()
        url = f"mqtt://me:hidden%2Dword@127.0.0.1:{port}/a"
        done = run_fer_edge("video", clip, "--mqtt", url, "--summary", summary, "-vv", "--debug")
        assert f"mqtt://127.0.0.1:{port}" in done.stderr
        everything = done.stdout + done.stderr + summary.read_text()
        assert "hidden" not in everything

    @endless
    @pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system has no /proc")
    def test_the_password_is_hidden_from_the_process_list(self, broker: Broker, camera: str) -> None:
        url = f"mqtt://me:hidden-word@127.0.0.1:{broker.port}/a"
        with (
            Listener(broker.port) as listener,
            start(camera, f"--mqtt={url}", "--mirror") as process,
        ):
            listener.wait_for_payload("a/availability", b"online")
            shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"hidden-word" not in shown
        assert shown.endswith(b"--mirror\0")

    def test_user_and_password_may_come_from_the_environment_and_a_file(
        self, clip: Path, tmp_path: Path
    ) -> None:
        passwords, secret = tmp_path / "passwords", tmp_path / "secret"
        secret.write_text("right\n")
        subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "me", "right"], check=True)
        with Broker(tmp_path, f"password_file {passwords}", anonymous=False) as broker:
            environment = {"FER_EDGE_MQTT_USER": "me", "FER_EDGE_MQTT_PASSWORD_FILE": str(secret)}
            url = f"mqtt://127.0.0.1:{broker.port}/a"
            done = run_fer_edge("video", clip, "--mqtt", url, "-v", env=environment)
            wrong = run_fer_edge("video", clip, "--mqtt", url, env={"FER_EDGE_MQTT_USER": "me"})
        assert done.returncode == wrong.returncode == 0
        assert "connected" in done.stderr
        assert "refuses the user or the password" in wrong.stderr
