"""The amount and format of messages on standard error."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from fer_edge.cli.messages import ERROR, INFO, WARNING, configure_messages, install_log_handler, say
from tests.edge.support import FerEdge, run_fer_edge

Capture = pytest.CaptureFixture[str]

FER_EDGE = (sys.executable, "-m", "fer_edge")


@pytest.fixture(autouse=True)
def messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set up messages as at program start, and reset them afterwards."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    install_log_handler()
    yield
    configure_messages()


def say_all() -> None:
    logger = logging.getLogger("fer_edge.sources.camera")
    say("broken", ERROR)
    say("odd", WARNING)
    say("done", INFO)
    logger.warning("camera %s: lost", "0")
    logger.info("camera 0: 640×480")
    logger.debug("a packet")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["Error: broken", "Warning: odd", "done", "Warning: camera 0: lost"]),
        ({"quiet": True}, ["Error: broken"]),
        (
            {"verbose": 1},
            ["Error: broken", "Warning: odd", "done", "Warning: camera 0: lost", "camera 0: 640×480"],
        ),
        (
            {"verbose": 2},
            [
                "Error: broken",
                "Warning: odd",
                "done",
                "Warning: camera 0: lost",
                "camera 0: 640×480",
                "a packet",
            ],
        ),
    ],
)
def test_verbosity_controls_the_messages(
    options: dict[str, int], expected: list[str], capsys: Capture
) -> None:
    configure_messages(**options)  # type: ignore[arg-type]
    say_all()
    assert capsys.readouterr().err.splitlines() == expected


def test_each_message_is_an_object_where_a_program_reads_them(capsys: Capture) -> None:
    configure_messages(log_format="json")
    say_all()
    say("two\nlines \x1b[2J \udcff")
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(record["level"], record["message"]) for record in records] == [
        ("error", "broken"),
        ("warning", "odd"),
        ("info", "done"),
        ("warning", "camera 0: lost"),
        ("info", "two\nlines \x1b[2J \udcff"),
    ]
    assert all(datetime.fromisoformat(record["time"]).utcoffset() is not None for record in records)


def test_systemd_s_journal_is_told_each_line_s_level(tmp_path: Path) -> None:
    program = "from fer_edge.cli.messages import *\nfor level in (ERROR, WARNING, INFO): say('text', level)\n"
    with (tmp_path / "journal").open("w+") as journal:
        status = os.fstat(journal.fileno())
        for stream in (f"{status.st_dev}:{status.st_ino}", "1:2"):
            subprocess.run(
                [sys.executable, "-c", program],
                stderr=journal,
                env=os.environ | {"JOURNAL_STREAM": stream},
                check=True,
            )
    assert (tmp_path / "journal").read_text().splitlines() == [
        *("<3>Error: text", "<4>Warning: text", "<6>text"),
        *("Error: text", "Warning: text", "text"),
    ]


class TestOptions:
    def test_every_kind_of_error_is_a_json_object(self, fer_edge: FerEdge, tmp_path: Path) -> None:
        for arguments in (
            ("video", tmp_path / "none.mp4"),
            ("image", "--every", "1"),
            ("video", "x", "--start", "a"),
        ):
            done = fer_edge(*arguments, "--log-format", "json")
            assert done.returncode in (1, 2)
            (line,) = done.stderr.splitlines()
            assert json.loads(line)["level"] == "error"

    def test_verbose_names_the_video_s_format(self, fer_edge: FerEdge, clip: Path) -> None:
        assert "mpeg4" in fer_edge("video", clip, "--max-frames", 1, "-v").stderr
        assert fer_edge("video", clip, "--max-frames", 1).stderr == ""

    def test_quiet_leaves_errors_and_what_standard_output_holds(self, clip: Path, tmp_path: Path) -> None:
        folder = tmp_path / "empty"
        folder.mkdir()
        done = run_fer_edge("video", clip, "--max-frames", 3, "-q")
        assert done.stderr == ""
        assert "3 frames" in done.stdout
        assert "Error" in run_fer_edge("folder", folder, "-q").stderr

    def test_quiet_and_verbose_together_are_refused(self, fer_edge: FerEdge, clip: Path) -> None:
        assert fer_edge("video", clip, "-q", "-v").returncode == 2


class TestStandardErrorThatTakesNothing:
    """With a log on a full disk or a closed terminal, only the messages are lost."""

    @pytest.fixture(autouse=True, params=["", "1"])
    def buffered(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Return standard error with and without Python's buffer."""
        monkeypatch.setenv("PYTHONUNBUFFERED", request.param)

    def test_a_full_disk(self, clip: Path, tmp_path: Path) -> None:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [
                    *FER_EDGE,
                    "video",
                    clip,
                    "--max-frames",
                    "2",
                    "-r",
                    tmp_path / "r.csv",
                    "--serve",
                    "0",
                    "-v",
                ],
                stderr=full,
                stdout=subprocess.PIPE,
                check=False,
            )
        assert done.returncode == 0
        assert done.stdout.startswith(b"2 frames")

    def test_the_reader_of_standard_error_is_gone(self, clip: Path) -> None:
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [*FER_EDGE, "video", clip, "--max-frames", "2", "--serve", "0"],
            stderr=write,
            stdout=subprocess.PIPE,
            check=False,
        )
        os.close(write)
        assert done.returncode == 0
        assert done.stdout.startswith(b"2 frames")

    def test_wrong_usage_is_wrong_usage(self) -> None:
        with Path("/dev/full").open("w") as full:
            assert subprocess.run([*FER_EDGE, "video", "--bogus"], stderr=full, check=False).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--bogus", "--log-format", "json"),
        ("--log-format=json", "--bogus"),
        ("--log-format", "json", "--duration", "x"),
        ("--log-format", "json", "--serve", "x"),
    ],
)
def test_wrong_usage_is_said_as_json_too(fer_edge: FerEdge, clip: Path, arguments: tuple[str, ...]) -> None:
    done = fer_edge("video", clip, *arguments)
    assert done.returncode == 2
    assert json.loads(done.stderr)["level"] == "error"


@pytest.mark.parametrize("address", ["0", "127.0.0.1:0", "0.0.0.0:0"])
def test_serving_quietly_is_refused_if_it_would_hide_the_address(
    fer_edge: FerEdge, clip: Path, address: str
) -> None:
    done = fer_edge("video", clip, "--serve", address, "--quiet")
    assert done.returncode == 2
    assert "FER_EDGE_TOKEN" in done.stderr
