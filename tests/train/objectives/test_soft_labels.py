from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import DataError, RunError
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_train.cli.main import run
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.objectives.soft_labels import (
    SoftLabels,
    compute_soft_labels,
    read_soft_labels,
    write_soft_labels,
)
from fer_train.objectives.teachers import TeacherEnsemble, apply_temperature, open_teacher

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 48, 48)).astype(np.uint8)
FACES = FaceDataset(PIXELS, np.arange(9) % 7, np.full(9, "Training"), np.arange(9))


def made(count: int = 3, **changes: Any) -> SoftLabels:
    rows = np.full((count, 2), 0.5, np.float16)
    values = {"labels": ("no", "yes"), "keys": np.arange(count, dtype=np.uint64), "probabilities": rows}
    return SoftLabels(**{**values, "origin": "here", **changes})


class TestSoftLabelsOfFaces:
    def test_are_the_teachers_means_over_mirror_images_in_the_order_of_the_faces_asked_about(self) -> None:
        teachers = [open_teacher(find_model().path, FER2013_LABELS)] * 2
        soft = compute_soft_labels(FACES, teachers)
        asked = PIXELS[[7, 1, 4]]
        assert np.allclose(soft.lookup(asked), TeacherEnsemble(teachers[:1], 1.0)(asked), atol=1e-3)

    def test_name_their_origin(self) -> None:
        soft = compute_soft_labels(FACES, [open_teacher(find_model().path, FER2013_LABELS)])
        assert soft.origin == f"{find_model().spec.name} {find_model().sha256[:8]}"

    def test_are_one_for_equal_pictures(self) -> None:
        twice = FACES.select(np.array([0, 1, 0]))
        soft = compute_soft_labels(twice, [open_teacher(find_model().path, FER2013_LABELS)])
        assert len(soft.keys) == 2
        assert np.array_equal(soft.lookup(twice.pixels)[0], soft.lookup(twice.pixels)[2])

    def test_of_other_faces_are_refused_with_their_number(self) -> None:
        soft = compute_soft_labels(FACES, [open_teacher(find_model().path, FER2013_LABELS)])
        with pytest.raises(RunError, match="8 of the 9 training faces have no soft labels"):
            soft.lookup(np.concatenate([PIXELS[:1], 255 - PIXELS[1:]]))


class TestAFile:
    def test_gives_back_what_was_written(self, tmp_path: Path) -> None:
        soft = made()
        write_soft_labels(tmp_path / "soft.npz", soft)
        again = read_soft_labels(tmp_path / "soft.npz", soft.labels)
        assert (again.labels, again.origin) == (soft.labels, soft.origin)
        assert np.array_equal(again.keys, soft.keys)
        assert np.array_equal(again.probabilities, soft.probabilities)

    def test_of_other_labels_is_refused(self, tmp_path: Path) -> None:
        write_soft_labels(tmp_path / "soft.npz", made())
        with pytest.raises(RunError, match="soft labels for yes, no, got no, yes"):
            read_soft_labels(tmp_path / "soft.npz", ("yes", "no"))

    @pytest.mark.parametrize(
        "changes",
        [
            {"keys": np.array([2, 1, 3], np.uint64)},
            {"keys": np.array([1, 2, 3], np.int64)},
            {"keys": np.zeros(0, np.uint64), "probabilities": np.zeros((0, 2), np.float16)},
            {"probabilities": np.full((3, 2), 0.5, np.float32)},
            {"probabilities": np.full((2, 2), 0.5, np.float16)},
            {"probabilities": np.full((3, 2), 0.6, np.float16)},
            {"probabilities": np.array([[2, -1]] * 3, np.float16)},
            {"probabilities": np.full((3, 2), np.nan, np.float16)},
            {"labels": ("only",)},
            {"labels": (1, 2)},
        ],
    )
    def test_whose_parts_do_not_belong_together_is_refused(
        self, tmp_path: Path, changes: dict[str, Any]
    ) -> None:
        soft = made(**changes)
        write_soft_labels(tmp_path / "soft.npz", soft)
        with pytest.raises(DataError, match=r"soft\.npz: cannot read soft labels"):
            read_soft_labels(tmp_path / "soft.npz", soft.labels)

    @pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
    def test_that_is_none_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "soft.npz").write_bytes(content)
        with pytest.raises(DataError, match="cannot read soft labels"):
            read_soft_labels(tmp_path / "soft.npz", FER2013_LABELS)

    def test_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="does not exist"):
            read_soft_labels(tmp_path / "soft.npz", FER2013_LABELS)

    def test_that_is_damaged_anywhere_is_refused_or_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "soft.npz"
        write_soft_labels(path, made(40))
        whole = path.read_bytes()
        rng = np.random.default_rng(0)
        for _ in range(300):
            damaged = bytearray(whole)
            for place in rng.integers(0, len(whole), 3):
                damaged[place] = rng.integers(0, 256)
            path.write_bytes(damaged)
            with suppress(DataError, RunError):
                assert len(read_soft_labels(path, ("no", "yes")).keys) == 40

    def test_that_claims_more_than_any_memory_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "soft.npz"
        header = io.BytesIO()
        description = {"descr": "<u8", "fortran_order": False, "shape": (10**13,)}
        np.lib.format.write_array_header_1_0(header, description)
        about = io.BytesIO()
        np.save(about, np.array(json.dumps({"labels": ["no", "yes"], "origin": ""})))
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("keys.npy", header.getvalue())
            archive.writestr("about.npy", about.getvalue())
        with pytest.raises(DataError, match="cannot read soft labels"):
            read_soft_labels(path, ("no", "yes"))

    def test_that_would_fill_the_memory_is_refused_unread(self, tmp_path: Path) -> None:
        about = np.array(json.dumps({"labels": ["a", "b"], "origin": ""}))
        np.savez_compressed(tmp_path / "soft.npz", keys=np.zeros(1 << 26), about=about)
        with pytest.raises(DataError, match="unpacks to more than 268,435,456 bytes"):
            read_soft_labels(tmp_path / "soft.npz", ("a", "b"))


def test_known_answers_count_as_those_of_as_many_teachers() -> None:
    class Sure:
        path = Path("sure.tflite")
        spec = ModelSpec(name="sure", labels=("no", "yes"))

        def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.tile(np.array([0, 1], np.float32), (len(pixels), 1))

    known = np.tile(np.array([1, 0], np.float32), (9, 1))
    assert np.allclose(TeacherEnsemble([Sure()], 1.0, 3)(PIXELS, known), [0.75, 0.25])


def test_softening_is_the_softmax_of_divided_logits() -> None:
    logits = np.array([[2.0, 0.0, -1.0]], np.float32)
    softmax = [np.exp(z) / np.exp(z).sum() for z in (logits, logits / 4)]
    assert np.allclose(apply_temperature(softmax[0], 4.0), softmax[1], atol=1e-6)


def test_the_command_writes_a_file_and_replaces_none_unasked(
    small_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "soft.npz"
    command = ["soft-labels", str(small_csv), "--teacher", "default", "--out", str(out)]
    assert run(command) == 0
    assert "42 faces" in capsys.readouterr().out
    training = load_faces(small_csv).split("Training")
    probabilities = read_soft_labels(out, FER2013_LABELS).lookup(training.pixels)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=0.01)
    before = out.read_bytes()
    assert run(command) == 1
    assert "already exists" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert run([*command, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("out", "status", "reason"),
    [
        ("soft.npy", 2, "ending in .npz"),
        ("nowhere/soft.npz", 1, "create it first"),
        (".npz", 2, "ending in .npz"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_anybody_is_asked(
    out: str, status: int, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing.csv")
    assert run(["soft-labels", missing, "--teacher", "default", "--out", str(tmp_path / out)]) == status
    assert reason in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_learns_from_soft_labels_and_names_them(
    small_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soft = tmp_path / "soft.npz"
    assert run(["soft-labels", str(small_csv), "--teacher", "default", "--out", str(soft)]) == 0
    weights = {}
    for name, teachers in (("alone", []), ("soft", [soft]), ("both", [soft, "default"])):
        options = [part for teacher in teachers for part in ("--teacher", str(teacher))]
        out = tmp_path / name
        small = ["--arch", "mini-resnet", "--epochs", "1", "--batch-size", "14"]
        assert run(["fit", str(small_csv), "--out", str(out), *small, *options]) == 0
        with np.load(out / "checkpoint.npz") as checkpoint:
            weights[name] = {key: checkpoint[key] for key in checkpoint.files if key != "history"}
    for one, other in (("alone", "soft"), ("soft", "both")):
        assert any(not np.array_equal(weights[one][k], weights[other][k]) for k in weights[one])
    provenance = json.loads((tmp_path / "both" / "spec.json").read_text())["provenance"]
    assert provenance["teachers"] == f"soft.npz ({find_model().spec.name} {find_model().sha256[:8]}), default"
    capsys.readouterr()


@pytest.mark.slow
def test_a_run_does_not_go_on_with_other_answers_of_the_same_name(
    small_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soft, out = tmp_path / "soft.npz", tmp_path / "run"
    assert run(["soft-labels", str(small_csv), "--teacher", "default", "--out", str(soft)]) == 0
    begun = ["fit", str(small_csv), "--arch", "mini-resnet", "--epochs", "2", "--batch-size", "14"]
    begun += ["--teacher", str(soft), "--out", str(out), "--stop-after", "0.0001"]
    assert run(begun) == 0
    same = read_soft_labels(soft, FER2013_LABELS)
    write_soft_labels(soft, replace(same, probabilities=same.probabilities[:, ::-1]))
    capsys.readouterr()
    assert run(["fit", str(small_csv), "--resume", "--out", str(out)]) == 2
    assert "the teachers' files have changed" in capsys.readouterr().err
    write_soft_labels(soft, same)
    assert run(["fit", str(small_csv), "--resume", "--out", str(out)]) == 0


def test_those_that_come_with_the_project_are_of_every_training_face(fer2013_path: Path | None) -> None:
    if fer2013_path is None:
        pytest.skip("FER-2013 is not available")
    training = load_faces(fer2013_path).split("Training")
    shipped = Path(__file__).resolve().parents[3] / "train/fer2013-soft-labels.npz"
    probabilities = read_soft_labels(shipped, FER2013_LABELS).lookup(training.pixels)
    agreeing = probabilities.argmax(axis=1) == training.labels
    # More than a network reaches on faces it has not seen, less than one that knows its labels by heart.
    assert 0.72 < agreeing.mean() < 0.9
