"""The command that finds problems on a machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from fer_edge import doctor
from fer_edge.doctor import Finding, examine
from tests.edge.sinks.brokers import Authority, Broker
from tests.edge.support import FerEdge

# Paho leaves the socket of a failed TLS handshake to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")


class TestCommand:
    def test_it_prints_text(self, fer_edge: FerEdge) -> None:
        done = fer_edge("doctor")
        assert done.returncode == 0
        assert "fer-edge works here" in done.stdout
        assert done.stderr == ""

    def test_it_prints_json(self, fer_edge: FerEdge) -> None:
        record = json.loads(fer_edge("doctor", "--json").stdout)
        assert record["status"] in ("green", "amber")
        assert {tuple(check) for check in record["checks"]} == {("name", "status", "found", "remedy")}

    def test_a_fault_is_its_exit_status(self, fer_edge: FerEdge, monkeypatch: pytest.MonkeyPatch) -> None:
        def check_moon() -> Iterable[Finding]:
            yield Finding("red", "moon", "made of\ncheese \x1b[2J", "replace it")

        monkeypatch.setattr(doctor, "CHECKS", (check_moon,))
        done = fer_edge("doctor")
        assert done.returncode == 1
        assert "FAULT moon" in done.stdout
        assert "→ replace it" in done.stdout
        assert "\x1b[2J" not in done.stdout
        assert json.loads(fer_edge("doctor", "--json").stdout)["status"] == "red"

    def test_a_check_that_raises_is_a_finding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def check_the_moon() -> Iterable[Finding]:
            raise RuntimeError("too far")

        monkeypatch.setattr(doctor, "CHECKS", (check_the_moon,))
        (found,) = examine()
        assert (found.status, found.name) == ("red", "the moon")
        assert "RuntimeError: too far" in found.found

    def test_it_starts_where_a_package_is_broken(self, tmp_path: Path) -> None:
        for package in ("numpy", "cv2", "av", "ai_edge_litert"):
            (tmp_path / package).mkdir()
            (tmp_path / package / "__init__.py").write_text("raise ImportError('libGL.so.1: cannot open')")
        done = subprocess.run(
            [sys.executable, "-m", "fer_edge", "doctor", "--json"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1, done.stderr
        found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
        assert all(found[name]["status"] == "red" for name in ("numpy", "PyAV", "OpenCV", "LiteRT"))
        assert "headless" in found["OpenCV"]["remedy"]

    def test_a_broker_with_tls_is_tried_with_the_options_of_camera(
        self, fer_edge: FerEdge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(doctor, "CHECKS", ())
        authority = Authority(tmp_path, "authority")
        certificate, key = authority.sign("broker")
        with Broker(tmp_path, f"certfile {certificate}", f"keyfile {key}") as broker:
            address = f"mqtts://127.0.0.1:{broker.port}/home/door"
            trusted = fer_edge("doctor", "--mqtt", address, "--mqtt-ca", str(authority.certificate))
            stranger = fer_edge("doctor", "--mqtt", address)
        assert trusted.returncode == 0
        assert "connected in" in trusted.stdout
        assert stranger.returncode == 1
        assert "→ specify the authority that signed it with --mqtt-ca" in stranger.stdout

    def test_certificates_without_a_broker_are_refused(self, fer_edge: FerEdge, tmp_path: Path) -> None:
        done = fer_edge("doctor", "--mqtt-ca", str(tmp_path / "ca.pem"))
        assert done.returncode == 2
        assert "specify it with --mqtt" in done.stderr
