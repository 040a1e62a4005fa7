"""The packages that ``fer-edge`` imports, and those it must not import."""

from __future__ import annotations

from pathlib import Path

from tests.edge.support import run_python

_SCRIPT = """
import sys
from fer_edge.cli.app import run_command
from fer_edge.cli.main import cli

status = run_command(cli, sys.argv[2:], "fer-edge")
sys.exit(status or " ".join(set(sys.argv[1].split(",")) & set(sys.modules)) or 0)
"""


def test_nothing_heavy_is_imported(portrait_path: Path) -> None:
    heavy = "tensorflow,keras,pandas,matplotlib,torch,jax,ray,fer_train,fer_convert"
    done = run_python(_SCRIPT, heavy, "image", portrait_path)
    assert done.returncode == 0, done.stderr


def test_a_run_without_a_window_does_not_import_tkinter(portrait_path: Path) -> None:
    done = run_python(
        _SCRIPT, "tkinter,fer_edge.sinks.window,fer_edge.detectors.mediapipe", "image", portrait_path
    )
    assert done.returncode == 0, done.stderr


def test_help_loads_neither_numpy_nor_opencv() -> None:
    done = run_python(_SCRIPT, "numpy,cv2", "video", "--help")
    assert done.returncode == 0, done.stderr
    assert "--detect-every" in done.stdout
    assert "haar|yunet|mediapipe" in done.stdout
