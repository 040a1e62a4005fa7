"""Progress of a run on a terminal, and in a log elsewhere."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

import pytest

from fer_edge.types import Image
from tests.edge.support import write_video


def run_on_terminal(*arguments: object, lines: int = 24, columns: int = 80) -> str:
    """Return the output of ``fer-edge`` on a terminal of the given size."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.execv(sys.executable, [sys.executable, "-m", "fer_edge", *map(str, arguments)])
    written = b""
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # Linux reports the closed other end this way
            part = b""
        if not part:
            break
        written += part
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, written.decode()
    os.close(terminal)
    return written.decode()


@pytest.fixture
def clip(tmp_path: Path, portrait: Image) -> Path:
    """Write a clip of two hundred frames, long enough to show progress."""
    return write_video(tmp_path / "clip.mp4", [portrait] * 200, size=(512, 600))


@pytest.mark.parametrize(("lines", "columns"), [(24, 80), (0, 0), (5, 40)])
def test_a_terminal_of_any_size_shows_a_bar(lines: int, columns: int, clip: Path) -> None:
    seen = run_on_terminal("video", clip, "--threads", 1, lines=lines, columns=columns)
    shown = [int(percent) for percent in re.findall(r"(\d+)%\|", seen)]
    assert shown == sorted(shown)
    assert shown[-1] == 100
    assert len(shown) > 2
    bars = [line for line in re.split(r"[\r\n]+", seen) if "%|" in line]
    assert all(len(line) <= (columns or 80) for line in bars)


def test_several_videos_share_one_bar(clip: Path) -> None:
    other = clip.with_name("other.mp4")
    other.write_bytes(clip.read_bytes())
    seen = run_on_terminal("video", clip, other, "-r", clip.with_name("rows.jsonl"))
    assert "clip.mp4" in seen
    assert "other.mp4" in seen
    assert "100%|" in seen


def test_rows_on_the_terminal_are_not_mixed_with_a_bar(clip: Path) -> None:
    seen = run_on_terminal("image", Path(__file__).parents[2] / "data/grace_hopper.jpg", "-r", "-")
    assert seen.count("\n") == 1
    assert seen.startswith('{"source"')
