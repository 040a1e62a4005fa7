from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.dataset import FaceDataset, load_faces


def test_missing_data_say_where_they_are_had(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist; .* get .* from Kaggle"):
        load_faces(tmp_path / "nowhere")


def test_a_split_that_is_absent_is_an_error_only_when_asked_for(small_csv: Path) -> None:
    faces = load_faces(small_csv)
    assert len(faces.split("Training")) == 42
    with pytest.raises(DataError, match="the data has no split PrivateTest, only Training, PublicTest"):
        faces.split("PrivateTest")


def test_faces_take_the_labels_of_a_model() -> None:
    own = FaceDataset(
        np.zeros((2, 48, 48), np.uint8),
        np.array([0, 1]),
        np.full(2, "PublicTest"),
        np.full(2, -1),
        ("Happiness", "sad"),
    )
    relabeled = own.relabel(FER2013_LABELS)
    assert [FER2013_LABELS[label] for label in relabeled.labels] == ["happy", "sad"]
    with pytest.raises(DataError, match=r"the model lacks: Happiness; .* of the model \(a, sad\)"):
        own.relabel(("a", "sad"))


def run_without_pandas(program: str) -> subprocess.CompletedProcess[str]:
    blocked = f"import sys; sys.modules['pandas'] = None; {program}"
    return subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)


def test_folders_are_read_without_pandas(tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        (tmp_path / "train" / name).mkdir(parents=True)
        image = np.random.default_rng(seed).integers(0, 256, (48, 48), np.uint8)
        assert cv2.imwrite(str(tmp_path / "train" / name / "1.png"), image)
    done = run_without_pandas(
        f"from fer_train.data.dataset import load_faces; print(len(load_faces({str(tmp_path)!r})))"
    )
    assert done.stdout.strip() == "2", done.stderr


def test_a_table_without_pandas_names_the_extra(small_csv: Path) -> None:
    done = run_without_pandas(
        f"from fer_train.cli.main import run; sys.exit(run(['inspect', {str(small_csv)!r}]))"
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "Error: pandas is not installed; install it with: pip install 'fer-edge[pandas]'"
    )


def test_fer2013_is_read_whole(
    fer2013_path: Path | None, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EDGE_CACHE", str(cache))
    if fer2013_path is None:
        pytest.skip("FER-2013 is not available")
    faces = load_faces(fer2013_path)
    assert [len(faces.split(name)) for name in ("Training", "PublicTest")] == [28_709, 3_589]
    assert faces.find_blank().sum() < 100
