from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_train.cli.main import run

Rows = list[tuple[int, str, str]]


def test_inspect_counts_what_there_is(
    tmp_path: Path,
    make_rows: Callable[..., Rows],
    csv_text: Callable[[Rows], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = make_rows(14, 7)
    blank = " ".join(["5"] * 2304)
    rows += [(0, blank, "Training"), (3, rows[0][1], "Training"), (1, rows[1][1], "PublicTest")]
    path = tmp_path / "fer2013.csv"
    path.write_text(csv_text(rows))
    assert run(["inspect", str(path), "--plot", str(tmp_path / "plots")]) == 0
    output = capsys.readouterr().out
    table = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line.split()}
    assert table["angry"] == ["3", "1", "4", "16.7", "%"]
    assert table["all"] == ["16", "8", "24"]
    assert table["1"] == ["blank", "images,", "left", "out", "of", "training"]
    assert "2 exact duplicates of an earlier image" in output
    assert "2 images with an exact duplicate in another split" in output
    assert "2 images with an exact duplicate of another label" in output
    assert "22 different photos" in output
    assert "2 images of a photo that is also in another split" in output
    assert "2 images of a photo that also has another label" in output
    for name in ("samples.png", "distribution.png"):
        assert cv2.imread(str(tmp_path / "plots" / name)) is not None


def test_inspect_knows_a_photo_again(
    tmp_path: Path,
    make_rows: Callable[..., Rows],
    csv_text: Callable[[Rows], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = make_rows(14, 7)
    mirrored = np.array(rows[3][1].split(), int).reshape(48, 48)[:, ::-1]
    rows.append((5, " ".join(map(str, mirrored.ravel())), "PrivateTest"))
    path = tmp_path / "fer2013.csv"
    path.write_text(csv_text(rows))
    assert run(["inspect", str(path)]) == 0
    output = capsys.readouterr().out
    assert "0 exact duplicates of an earlier image" in output
    assert "21 different photos" in output
    assert "2 images of a photo that is also in another split" in output
    assert "2 images of a photo that also has another label" in output
