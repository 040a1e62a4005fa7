"""View answers are read from their file unchanged, and other files are rejected."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import DataError, RunError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.augmentation import Augmentation
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.data.face_hashes import find_faces, hash_faces
from fer_train.data.views import VIEWS_VERSION, ViewSettings, make_views
from fer_train.objectives.soft_labels import (
    SoftLabels,
    compute_soft_labels,
    read_soft_labels,
    write_soft_labels,
)
from fer_train.objectives.view_answers import (
    ViewAnswers,
    compute_view_answers,
    encode_probabilities,
    is_view_answers,
    read_view_answers,
    write_view_answers,
)

FACES = np.random.default_rng(0).integers(0, 256, (9, 48, 48), np.uint8)
SETTINGS = ViewSettings(
    strong_count=3, mild_count=2, strong=Augmentation(flip=False, rotation=31.0), blur=0.7, mix=0.9
)


def draw_probabilities(count: int, labels: int, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.full(labels, 0.3), (count, SETTINGS.count))


def make_answers(labels: tuple[str, ...] = ("no", "perhaps", "yes"), **changes: Any) -> ViewAnswers:
    answers = ViewAnswers(
        labels=labels,
        keys=hash_faces(FACES),
        groups=(np.arange(9) % 2).astype(np.uint8),
        probabilities=encode_probabilities(draw_probabilities(9, len(labels))),
        temperature=2.5,
        seed=17,
        settings=SETTINGS,
        origin="teachers one and two",
    )
    return replace(answers, **changes)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    answers = make_answers()
    write_view_answers(tmp_path / "answers.npz", answers)
    again = read_view_answers(tmp_path / "answers.npz", answers.labels)
    for name in ("labels", "temperature", "seed", "settings", "origin"):
        assert getattr(again, name) == getattr(answers, name)
    for name in ("keys", "groups", "probabilities"):
        assert np.array_equal(getattr(again, name), getattr(answers, name))
        assert getattr(again, name).dtype == getattr(answers, name).dtype


def test_answers_of_a_view_are_its_probabilities() -> None:
    probabilities = draw_probabilities(9, 100)
    answers = make_answers(tuple(map(str, range(100))), probabilities=encode_probabilities(probabilities))
    given = answers.get_probabilities(3)
    assert given.dtype == np.float32
    assert np.allclose(given.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(given, probabilities[:, 3], atol=0.03)
    assert not np.allclose(given, probabilities[:, 2], atol=0.03)


def test_views_are_those_of_the_files_seed_settings_and_groups() -> None:
    answers = make_answers()
    views = answers.make_views(FACES, 1)
    asked = make_views(FACES, 1, seed=17, settings=SETTINGS, groups=answers.groups)
    assert np.array_equal(views.pixels, asked.pixels)
    assert np.array_equal(answers.groups[views.partners], answers.groups)


def test_the_answers_of_fer2013_fit_into_eight_megabytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    count, labels = 2800, len(FER2013_LABELS)  # a tenth of the faces, all different
    answers = make_answers(
        FER2013_LABELS,
        keys=rng.integers(0, 2**63, count).astype(np.uint64),
        groups=rng.integers(0, 5, count).astype(np.uint8),
        settings=ViewSettings(strong_count=30, mild_count=10),
        probabilities=encode_probabilities(rng.dirichlet(np.full(labels, 0.5), (count, 40))),
    )
    write_view_answers(tmp_path / "answers.npz", answers)
    assert (tmp_path / "answers.npz").stat().st_size < 800_000


def test_they_are_told_apart_from_soft_labels_by_their_content(tmp_path: Path) -> None:
    views, soft = tmp_path / "one.npz", tmp_path / "other.npz"
    write_view_answers(views, make_answers())
    rows = np.full((2, 3), 1 / 3, np.float16)
    write_soft_labels(soft, SoftLabels(("no", "perhaps", "yes"), np.arange(2, dtype=np.uint64), rows, ""))
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(views.read_bytes()[:100])
    assert [is_view_answers(path) for path in (views, soft, damaged, tmp_path)] == [True, False, False, False]
    with pytest.raises(DataError, match=r"other\.npz: cannot read view answers .*: it contains soft labels"):
        read_view_answers(soft, ("no", "perhaps", "yes"))
    with pytest.raises(DataError, match=r"one\.npz: cannot read soft labels"):
        read_soft_labels(views, ("no", "perhaps", "yes"))


def test_answers_of_other_labels_are_refused(tmp_path: Path) -> None:
    write_view_answers(tmp_path / "answers.npz", make_answers())
    with pytest.raises(RunError, match="view answers for yes, no, got no, perhaps, yes"):
        read_view_answers(tmp_path / "answers.npz", ("yes", "no"))


def test_long_labels_of_a_file_are_shortened_in_the_error(tmp_path: Path) -> None:
    write_view_answers(tmp_path / "answers.npz", make_answers(("x" * 100_000, "y", "z")))
    with pytest.raises(RunError, match="expected view answers for no, yes, got x") as caught:
        read_view_answers(tmp_path / "answers.npz", ("no", "yes"))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(("older", "remedy"), [(1, "create the file again"), (-1, "update fer-edge")])
def test_answers_about_views_of_another_version_are_refused(
    tmp_path: Path, older: int, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_view_answers(tmp_path / "answers.npz", make_answers())
    monkeypatch.setattr("fer_train.objectives.view_answers.VIEWS_VERSION", VIEWS_VERSION + older)
    with pytest.raises(RunError, match=remedy):
        read_view_answers(tmp_path / "answers.npz", ("no", "perhaps", "yes"))


@pytest.mark.parametrize(
    "changes",
    [
        {"keys": np.arange(8, dtype=np.uint64)},
        {"keys": np.arange(9)},
        {"groups": np.zeros(8, np.uint8)},
        {"groups": np.zeros(9, np.int64)},
        {"probabilities": np.full((9, 4, 3), 85, np.uint8)},
        {"probabilities": np.full((9, 5, 3), 86, np.uint8)},
        {"probabilities": np.full((9, 5, 2), 127, np.uint8)},
        {"labels": (1, 2, 3)},
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"temperature": "2"},
        {"seed": -1},
        {"seed": 1.5},
        {"settings": replace(SETTINGS, strong_count=4)},
        {"settings": replace(SETTINGS, strong_count=-1)},
        {"settings": replace(SETTINGS, blur=float("inf"))},
        {"settings": replace(SETTINGS, mild=Augmentation(rotation="far"))},  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_a_file_whose_parts_do_not_belong_together_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    answers = make_answers(**changes)
    write_view_answers(tmp_path / "answers.npz", answers)
    with pytest.raises(DataError, match=r"answers\.npz: cannot read view answers.*: its "):
        read_view_answers(tmp_path / "answers.npz", answers.labels)


@pytest.mark.parametrize("missing", ["blur", "strong"])
def test_a_file_that_does_not_say_how_its_views_are_made_is_refused(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "answers.npz"
    write_view_answers(path, make_answers())
    with np.load(path) as archive:
        arrays = dict(archive)
    about = json.loads(str(arrays["about"]))
    del about["settings"][missing]
    np.savez(path, **{**arrays, "about": np.array(json.dumps(about))})
    with pytest.raises(DataError, match=f"cannot read view answers.*{missing}"):
        read_view_answers(path, ("no", "perhaps", "yes"))


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_a_file_of_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "answers.npz").write_bytes(content)
    with pytest.raises(DataError, match="cannot read view answers"):
        read_view_answers(tmp_path / "answers.npz", FER2013_LABELS)


def test_a_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_view_answers(tmp_path / "answers.npz", FER2013_LABELS)


def test_a_file_that_is_cut_off_or_damaged_anywhere_is_refused_or_whole(tmp_path: Path) -> None:
    path = tmp_path / "answers.npz"
    write_view_answers(path, make_answers())
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for case in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged if case % 2 else whole[: int(rng.integers(len(whole)))])
        with suppress(DataError, RunError):
            read = read_view_answers(path, ("no", "perhaps", "yes"))
            assert np.allclose(read.get_probabilities(4).sum(axis=1), 1)


@pytest.mark.parametrize("compute", [compute_soft_labels, partial(compute_view_answers, settings=SETTINGS)])
def test_a_file_that_could_not_be_read_again_is_not_computed(
    compute: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_train.objectives.answer_files._MAX_BYTES", (1 << 20) + 100)
    faces = FaceDataset(FACES, np.zeros(9, np.int64), np.full(9, "Training"), np.arange(9))
    with pytest.raises(
        DataError, match=r"would contain \d+ bytes, but at most 100 can be read again; use fewer"
    ):
        compute(faces, networks=[])


def test_a_file_that_would_fill_the_memory_is_refused_unread(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "answers.npz", view_answers=np.zeros(1 << 29, np.uint8))
    with pytest.raises(DataError, match="unpacks to more than 268,435,456 bytes"):
        read_view_answers(tmp_path / "answers.npz", FER2013_LABELS)


def test_views_are_those_that_files_of_this_version_are_about() -> None:
    """A change in how views are created must raise VIEWS_VERSION and update the values expected here."""
    y, x = np.mgrid[:48, :48]
    faces = np.stack([(x * 3 + y * 2 + 40 * n) % 256 for n in range(8)]).astype(np.uint8)
    strong, mild = make_views(faces, 0), make_views(faces, 15, groups=np.arange(8) % 2)
    assert VIEWS_VERSION == 1
    assert strong.shares == pytest.approx([1, 0.795, 1, 1, 1, 1, 1, 1], abs=1e-4)
    assert strong.partners.tolist() == [2, 4, 3, 6, 5, 0, 1, 7]
    assert mild.partners.tolist() == [6, 5, 0, 1, 4, 3, 2, 7]
    # Interpolation may differ by one gray level between machines.
    means = [146.1, 126.2, 163.0, 148.0, 96.7, 112.5, 97.0, 144.3]
    assert strong.pixels.mean(axis=(1, 2)) == pytest.approx(means, abs=0.5)
    means = [120.0, 160.0, 169.8, 147.7, 108.6, 104.0, 113.8, 138.3]
    assert mild.pixels.mean(axis=(1, 2)) == pytest.approx(means, abs=0.5)


def test_those_that_come_with_the_project_are_about_the_training_faces(fer2013_path: Path | None) -> None:
    if fer2013_path is None:
        pytest.skip("FER-2013 is not available")
    training = load_faces(fer2013_path).split("Training")
    shipped = Path(__file__).resolve().parents[3] / "train/fer2013-answers.npz"
    answers = read_view_answers(shipped, FER2013_LABELS)
    places = find_faces(answers.keys, training.pixels)
    assert (places >= 0).all()
    labels, mildest = training.labels[places], answers.settings.count - 1
    # Better than a network on unseen faces, worse than one that has memorized its labels.
    assert 0.72 < np.mean(answers.get_probabilities(mildest).argmax(axis=1) == labels) < 0.9
    # Strong views are mixed, so their answers cover both faces.
    assert np.mean(answers.get_probabilities(0).argmax(axis=1) == labels) < 0.72
