"""The options that view answers can be combined with, and the resulting inputs of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import UsageError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.dataset import FaceDataset
from fer_train.data.face_hashes import hash_faces
from fer_train.data.views import ViewSettings
from fer_train.objectives.soft_labels import SoftLabels, write_soft_labels
from fer_train.objectives.view_answers import ViewAnswers, encode_probabilities, write_view_answers
from fer_train.training.recipes import find_recipe
from fer_train.training.run_config import RunConfig
from fer_train.training.run_inputs import check_teachers, prepare_inputs

RNG = np.random.default_rng(0)
COUNT = 400
FACES = FaceDataset(
    RNG.integers(0, 256, (COUNT, 48, 48), np.uint8),
    RNG.integers(0, 7, COUNT),
    np.full(COUNT, "Training"),
    np.arange(COUNT),
)


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """Return answers for the first 250 faces."""
    path = tmp_path / "answers.npz"
    settings = ViewSettings(strong_count=1, mild_count=1)
    probabilities = encode_probabilities(RNG.dirichlet(np.ones(7), (250, settings.count)))
    view_answers = ViewAnswers(
        labels=FER2013_LABELS,
        keys=hash_faces(FACES.pixels[:250]),
        groups=np.zeros(250, np.uint8),
        probabilities=probabilities,
        temperature=1.5,
        seed=0,
        settings=settings,
        origin="a teacher",
    )
    write_view_answers(path, view_answers)
    return path


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    """Return FER+ votes without an emotion for the faces 0 to 9 and 250 to 279."""
    path = tmp_path / "votes.csv"
    names = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = [
        "0,0,0,0,0,0,0,0,0,10" if n % 250 < 10 or 250 <= n < 280 else "6,4,0,0,0,0,0,0,0,0"
        for n in range(COUNT)
    ]
    path.write_text("\n".join([f"Usage,Image name,{names}", *(f"Training,x,{row}" for row in rows)]) + "\n")
    return path


def make_config(**changes: Any) -> RunConfig:
    settings = {"arch": "mini-resnet", "recipe": "distill", "epochs": 2, "batch_size": 16, **changes}
    settings["teachers"] = [str(teacher) for teacher in settings.get("teachers", ())]
    return RunConfig(**settings)


def check(**changes: Any) -> None:
    config = make_config(**changes)
    recipe = replace(find_recipe(config.recipe, config.arch), mixup=config.mixup)
    check_teachers(config, recipe)


def test_distill_takes_one_file_of_view_answers(answers: Path) -> None:
    check(teachers=[answers])


@pytest.mark.parametrize(
    "teachers", [[], ["default"], ["answers.npz", "default"], ["answers.npz", "answers.npz"]]
)
def test_distill_without_one_is_refused(teachers: list[str], answers: Path) -> None:
    named = [answers if teacher == answers.name else teacher for teacher in teachers]
    with pytest.raises(UsageError, match=r"distill needs one file of view answers .* as its teacher, got "):
        check(teachers=named)


def test_other_recipes_refuse_view_answers_and_take_soft_labels(answers: Path, tmp_path: Path) -> None:
    soft = tmp_path / "soft.npz"
    rows = np.full((2, 7), 1 / 7, np.float16)
    write_soft_labels(soft, SoftLabels(FER2013_LABELS, np.arange(2, dtype=np.uint64), rows, ""))
    check(recipe="modern", teachers=[soft, "default"])
    with pytest.raises(
        UsageError, match=r"answers\.npz: the recipe modern cannot .*; use the recipe distill"
    ):
        check(recipe="modern", teachers=["default", answers])


@pytest.mark.parametrize(
    ("option", "reason"),
    [({"fold": "1/5"}, "fold"), ({"val_share": 0.2}, "share"), ({"mixup": 0.2}, "already mixed")],
)
def test_options_that_views_leave_no_room_for_are_refused(
    option: dict[str, Any], reason: str, answers: Path
) -> None:
    with pytest.raises(UsageError, match=reason):
        check(teachers=[answers], **option)


def test_a_run_learns_from_the_faces_of_the_file_and_calibrates_on_others_that_show_an_emotion(
    answers: Path, votes: Path
) -> None:
    config = make_config(teachers=[answers], votes=str(votes))
    inputs = prepare_inputs(config, find_recipe("distill", "mini-resnet"), FACES)
    assert [objective.name for objective in inputs.objectives] == ["emotion", "votes", "teachers"]
    assert inputs.splits.training.source_rows.tolist() == list(range(250))
    assert inputs.unanswered == 150
    assert inputs.splits.calibration is not None
    assert inputs.splits.calibration.source_rows.tolist() == list(range(280, 400))
    teachers = inputs.objectives[-1]
    assert teachers.weight == pytest.approx(0.85 * 1.5**2)
    assert teachers.provenance == {"teachers": "answers.npz (a teacher)"}
    assert inputs.view_answers is not None
    assert np.array_equal(teachers.compute_view(1), inputs.view_answers.get_probabilities(1))


def test_too_few_others_are_no_measure_of_confidence(answers: Path) -> None:
    config = make_config(teachers=[answers])
    inputs = prepare_inputs(
        config, find_recipe("distill", "mini-resnet"), FACES.select(np.arange(COUNT) < 349)
    )
    assert inputs.splits.calibration is None
    assert inputs.unanswered == 99
