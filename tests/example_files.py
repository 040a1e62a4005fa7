"""The files read by examples in docstrings and documents."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np

from tests.edge.reports.rows import make_face, make_frame, write_rows
from tests.edge.support import read_back, write_video

__all__ = ["write_example_files"]


def write_example_files(folder: Path, portrait_path: Path) -> None:
    """Write face.jpg, clip.mp4, rows.jsonl and photos/; photos/broken.jpg is not an image."""
    portrait = read_back(portrait_path)
    shutil.copy(portrait_path, folder / "face.jpg")
    (folder / "photos").mkdir()
    shutil.copy(portrait_path, folder / "photos/portrait.jpg")
    (folder / "photos/broken.jpg").write_text("not an image")
    cv2.imwrite(str(folder / "photos/empty.png"), np.full((120, 160, 3), 128, np.uint8))
    height, width = portrait.shape[:2]
    write_video(folder / "clip.mp4", [portrait] * 3, size=(width, height))
    write_rows(
        folder / "rows.jsonl",
        [make_frame(index, [make_face(0, "neutral")], time_s=index / 10) for index in range(3)],
    )
