"""Shared fixtures of the runtime tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.types import Image
from tests.edge.support import drifting, read_back, write_video


@pytest.fixture(scope="session")
def model() -> ModelFile:
    """Return the bundled model."""
    return find_model()


@pytest.fixture
def images(tmp_path: Path, portrait: Image) -> Path:
    """Return a folder with a face, a wall, a damaged image, and a face in a subfolder."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    cv2.imwrite(str(folder / "face.jpg"), portrait)
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 300, 3), 128, np.uint8))
    (folder / "broken.jpg").write_text("not an image")
    (folder / "notes.txt").write_text("not looked at")
    cv2.imwrite(str(folder / "more/face.jpg"), portrait)
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, portrait_path: Path) -> Path:
    """Write a real video of the portrait drifting to the right: 24 frames, 12 per second."""
    small = np.asarray(cv2.resize(read_back(portrait_path), (320, 375)), np.uint8)
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(path, drifting(small, 24, (640, 480), (40, 50)), 12, size=(640, 480))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a separate file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") is not None and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
        == 0
    )
    if not mounted:
        pytest.skip("mounting file systems is not permitted")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
