from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import ModelError, RunError
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_train.cli.main import run
from fer_train.models.loading import locate_model
from fer_train.objectives.teachers import TeacherEnsemble, open_teacher

FACES = np.random.default_rng(0).integers(0, 256, (4, 48, 48)).astype(np.uint8)


class Sided:
    """A network that predicts an emotion from the brighter side of a face."""

    path = Path("sided.tflite")
    spec = ModelSpec(name="sided", labels=("left", "right"))

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        right = (pixels[:, :, 24:].mean(axis=(1, 2)) > pixels[:, :, :24].mean(axis=(1, 2))) * 0.8 + 0.1
        return np.stack([1 - right, right], axis=1).astype(np.float32)


def test_teachers_answer_for_a_face_and_its_mirror_image() -> None:
    assert np.allclose(TeacherEnsemble([Sided()], 1.0)(FACES), 0.5)


def test_the_bundled_model_teaches() -> None:
    teacher = open_teacher(find_model().path, FER2013_LABELS)
    answers = {t: TeacherEnsemble([teacher], t)(FACES) for t in (1.0, 4.0)}
    for answer in answers.values():
        assert (answer.shape, answer.dtype) == ((4, 7), np.float32)
        assert np.allclose(answer.sum(axis=1), 1, atol=1e-5)
    assert (answers[4.0].max(axis=1) < answers[1.0].max(axis=1)).all()  # softened
    assert (answers[4.0].argmax(axis=1) == answers[1.0].argmax(axis=1)).all()


def test_a_teacher_of_other_labels_is_refused() -> None:
    with pytest.raises(RunError, match="expected a teacher with the labels yes, no, got angry"):
        open_teacher(find_model().path, ("yes", "no"))


def test_a_teacher_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a run folder"):
        open_teacher(tmp_path / "run", FER2013_LABELS)


@pytest.mark.slow
def test_a_run_learns_from_a_teacher(
    small_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--arch", "mini-resnet", "--epochs", "1", "--batch-size", "14"]
    for name, teacher in (("run", str(find_model().path)), ("named", "default")):
        assert run(["fit", str(small_csv), "--out", str(tmp_path / name), *small, "--teacher", teacher]) == 0
    assert run(["fit", str(small_csv), "--out", str(tmp_path / "alone"), *small]) == 0
    weights = [np.load(tmp_path / name / "checkpoint.npz") for name in ("run", "alone")]
    assert any(not np.array_equal(weights[0][key], weights[1][key]) for key in weights[1].files)
    with np.load(tmp_path / "named" / "checkpoint.npz") as named:
        assert all(np.array_equal(weights[0][key], named[key]) for key in named.files if key != "history")
    capsys.readouterr()


def test_a_bundled_model_is_named_from_anywhere_and_a_file_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate_model(Path("default")) == "default"
    assert open_teacher(Path("default"), FER2013_LABELS).path == find_model().path
    assert locate_model(Path("run")) == str(tmp_path / "run")
    (tmp_path / "default").mkdir()  # a run with that name takes precedence
    assert locate_model(Path("default")) == str(tmp_path / "default")
