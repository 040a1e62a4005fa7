from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fer_edge.errors import DataError, RunError
from fer_train.data.augmentation import Augmentation
from fer_train.data.dataset import FaceDataset
from fer_train.data.face_hashes import hash_faces
from fer_train.data.ferplus import FERPLUS_LABELS
from fer_train.data.views import ViewSettings, make_views
from fer_train.evaluation.metrics import compute_calibration_error, compute_log_loss
from fer_train.evaluation.temperature_scaling import scale_model
from fer_train.models.architecture import Architecture
from fer_train.models.layers import PerImageStandardization
from fer_train.models.prediction import predict
from fer_train.models.run_files import CHECKPOINT_FILE
from fer_train.objectives.base import Objective
from fer_train.objectives.labels import LabelsObjective
from fer_train.objectives.view_answers import ViewAnswers, encode_probabilities
from fer_train.objectives.view_distillation import ViewDistillationObjective
from fer_train.objectives.votes import VotesObjective
from fer_train.training.recipes import RECIPES, Recipe
from fer_train.training.trainer import Trainer

PAPER = RECIPES["paper"].resize(3, 14)
MODERN = RECIPES["modern"].resize(3, 14)
DISTILL = RECIPES["distill"].resize(3, 14)
FINE = dataclasses.replace(RECIPES["fine-tune"].resize(3, 14), head_epochs=1, patience=2)


def build_tiny(labels: int, *, pixel_std: float = 64.0, dropout: float | None = None) -> Any:
    """Return a network that compiles quickly and has every kind of state that a run must save."""
    layers = keras.layers
    inputs = keras.Input((48, 48, 1), name="image")
    x = PerImageStandardization(pixel_std, name="standardize")(inputs)
    x = layers.AveragePooling2D(6, name="pool")(x)
    x = layers.Conv2D(4, 3, name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Flatten(name="flat")(layers.ReLU(name="relu")(x))
    x = layers.Dropout(0.2 if dropout is None else dropout, name="dropout")(x)
    x = layers.Dense(labels, name="logits")(x)
    return keras.Model(inputs, layers.Softmax(dtype="float32", name="emotion")(x), name="tiny")


def made_faces(count: int, seed: int = 0) -> FaceDataset:
    """Return faces whose bright area shows their emotion."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 7
    pixels = rng.integers(0, 120, (count, 48, 48))
    for face, label in zip(pixels, labels, strict=True):
        face[label * 6 : label * 6 + 8] += 100
    return FaceDataset(pixels.astype(np.uint8), labels, np.full(count, "Training"), np.arange(count))


TRAINING, VALIDATION = made_faces(56), made_faces(21, seed=1)
VOTES = np.eye(10, dtype=np.uint8)[np.arange(56) % 8] * 10


def answer_views(faces: FaceDataset, settings: ViewSettings) -> ViewAnswers:
    """Return view answers of a teacher that knows the labels and which views are mixed."""
    labels = np.eye(7, dtype=np.float32)[faces.labels]
    known = [make_views(faces.pixels, view, settings=settings).mix(labels) for view in range(settings.count)]
    return ViewAnswers(
        labels=faces.label_names,
        keys=hash_faces(faces.pixels),
        groups=np.zeros(len(faces), np.uint8),
        probabilities=encode_probabilities(np.stack(known, axis=1)),
        temperature=2.0,
        seed=0,
        settings=settings,
        origin="labels",
    )


STILL = Augmentation(flip=False, rotation=5.0)
ANSWERS = answer_views(TRAINING, ViewSettings(strong_count=2, mild_count=1, strong=STILL, mild=STILL))


def trainer(folder: Path, recipe: Recipe = PAPER, **changes: Any) -> Trainer:
    votes = changes.pop("votes", VOTES)
    objectives: list[Objective] = [LabelsObjective(recipe.label_smoothing)]
    if recipe.votes_weight:
        objectives.append(VotesObjective(votes, recipe.votes_weight))
    if recipe.by_views:
        changes = {"view_answers": ANSWERS, **changes}
        objectives.append(ViewDistillationObjective(changes["view_answers"], recipe.teacher_weight))
    settings = {"objectives": objectives, "training": TRAINING, "validation": VALIDATION, "folder": folder}
    return Trainer(Architecture(build_tiny, "tests"), recipe, **{**settings, **changes})


def weights(trainer: Trainer) -> list[np.ndarray]:
    return [
        keras.ops.convert_to_numpy(v) for v in (*trainer.model.variables, *trainer.model.optimizer.variables)
    ]


@pytest.mark.parametrize(
    "recipe",
    [PAPER, MODERN, dataclasses.replace(MODERN, mixup=0.4), FINE, DISTILL],
    ids=["float32", "bfloat16, averaged, votes", "mixed", "fine-tuned", "by views"],
)
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(recipe: Recipe, tmp_path: Path) -> None:
    for name in ("whole", "halves"):
        (tmp_path / name).mkdir()
    whole = trainer(tmp_path / "whole", recipe)
    list(whole.train_epochs())
    first = trainer(tmp_path / "halves", recipe)
    next(first.train_epochs())
    second = trainer(tmp_path / "halves", recipe)
    second.resume()
    assert [row.epoch for row in second.train_epochs()] == [2, 3]
    assert all(np.array_equal(a, b) for a, b in zip(weights(whole), weights(second), strict=True))
    assert [(r.loss, r.val_loss) for r in whole.history] == [(r.loss, r.val_loss) for r in second.history]


def test_another_seed_gives_another_network(tmp_path: Path) -> None:
    runs = [trainer(tmp_path, PAPER.resize(1, None), seed=seed) for seed in (0, 1)]
    for run in runs:
        list(run.train_epochs())
    assert not all(np.array_equal(a, b) for a, b in zip(weights(runs[0]), weights(runs[1]), strict=True))


@pytest.mark.parametrize("recipe", [PAPER, MODERN, DISTILL], ids=lambda recipe: recipe.name)
def test_it_learns_what_can_be_learned(recipe: Recipe, tmp_path: Path) -> None:
    run = trainer(tmp_path, dataclasses.replace(recipe.resize(12, None), learning_rate=0.05))
    history = list(run.train_epochs())
    assert history[-1].loss < history[0].loss
    assert history[-1].val_accuracy is not None
    assert history[-1].val_accuracy > 0.8


def test_a_training_by_views_learns_from_the_answers_and_not_from_the_labels_alone(tmp_path: Path) -> None:
    wrong = dataclasses.replace(ANSWERS, probabilities=np.roll(ANSWERS.probabilities, 1, axis=2))
    recipe = dataclasses.replace(DISTILL.resize(12, None), learning_rate=0.05)
    run = trainer(tmp_path, recipe, view_answers=wrong)
    history = list(run.train_epochs())
    predicted = predict(run.build_trained_model(), VALIDATION.pixels).argmax(axis=1)
    assert np.mean(predicted == (VALIDATION.labels + 1) % 7) > 0.8
    assert (history[-1].val_accuracy or 0) < 0.2


def test_faces_without_an_emotion_are_not_shown_in_a_training_by_views(tmp_path: Path) -> None:
    votes = VOTES.copy()
    votes[:4] = 0
    run = trainer(tmp_path, DISTILL, votes=votes, shown=np.arange(56) % 2 == 0)
    assert run.samples == 26
    next(run.train_epochs())


def test_the_network_that_is_kept_is_the_one_that_was_validated(tmp_path: Path) -> None:
    run = trainer(tmp_path, MODERN)
    history = list(run.train_epochs())
    before = weights(run)
    model = run.build_trained_model()
    assert model.dtype_policy.name == "float32"
    assert [layer.name for layer in model.layers] == [layer.name for layer in build_tiny(7).layers]
    right = predict(model, VALIDATION.pixels).argmax(axis=1) == VALIDATION.labels
    # bfloat16 in validation, float32 now: at most one face may change its label.
    assert abs(right.mean() - (history[-1].val_accuracy or 0)) <= 1 / 21
    assert all(np.array_equal(a, b) for a, b in zip(before, weights(run), strict=True))


def begin_with_a_trained_one(folder: Path, recipe: Recipe) -> tuple[Trainer, Trainer]:
    """Return a trained network, and one that starts with its body."""
    (folder / "source").mkdir()
    source = trainer(folder / "source", dataclasses.replace(PAPER, learning_rate=0.05))
    list(source.train_epochs())
    tuned = trainer(folder, recipe)
    tuned.begin_with(source.build_trained_model(), "source")
    return source, tuned


def body_of(run: Trainer) -> list[np.ndarray]:
    return [
        keras.ops.convert_to_numpy(variable)
        for variable in run.model.weights
        if not variable.path.startswith("logits/")
    ]


def test_fine_tuning_trains_the_last_layer_first_and_leaves_norms_alone(tmp_path: Path) -> None:
    _, run = begin_with_a_trained_one(tmp_path, dataclasses.replace(FINE, head_epochs=2))
    before, epochs = body_of(run), run.train_epochs()
    for _ in range(2):
        next(epochs)
        assert all(np.array_equal(a, b) for a, b in zip(before, body_of(run), strict=True))
    next(epochs)
    changed = [not np.array_equal(a, b) for a, b in zip(before, body_of(run), strict=True)]
    names = [variable.path for variable in run.model.weights if not variable.path.startswith("logits/")]
    assert {name for name, other in zip(names, changed, strict=True) if other} == {"conv/kernel", "conv/bias"}


def test_training_ends_early_and_keeps_the_best_weights(tmp_path: Path) -> None:
    # At this rate, each step makes the last layer worse.
    recipe = dataclasses.replace(
        RECIPES["fine-tune"].resize(30, 14), learning_rate=3.0, head_epochs=0, patience=3, ema=0.0
    )
    run = trainer(tmp_path, recipe)
    history = list(run.train_epochs())
    losses = [row.val_loss or 0.0 for row in history]
    best = int(np.argmin(losses))
    assert run.is_complete
    assert run.best_epoch == best + 1
    assert len(history) == best + 1 + 3 < 30
    kept = predict(run.build_trained_model(), VALIDATION.pixels)
    assert compute_log_loss(kept, VALIDATION.labels) == pytest.approx(losses[best], rel=1e-4)
    again = trainer(tmp_path, recipe)
    again.resume()
    assert again.is_complete
    assert np.array_equal(kept, predict(again.build_trained_model(), VALIDATION.pixels))


CALIBRATION = made_faces(140, seed=2)


def test_the_network_that_is_kept_is_calibrated_and_answers_as_before(tmp_path: Path) -> None:
    run = trainer(tmp_path, dataclasses.replace(MODERN, learning_rate=0.05))
    list(run.train_epochs())
    model, calibrated = run.build_trained_model(), run.build_trained_model()
    temperature = scale_model(calibrated, CALIBRATION)
    before, after = (predict(network, CALIBRATION.pixels) for network in (model, calibrated))
    softened = before.astype(np.float64) ** (1 / temperature)
    assert np.allclose(after, softened / softened.sum(axis=1, keepdims=True), atol=1e-5)
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))
    assert compute_log_loss(after, CALIBRATION.labels) < compute_log_loss(before, CALIBRATION.labels)


def test_an_overconfident_network_becomes_honest(tmp_path: Path) -> None:
    unsure = made_faces(700, seed=3)
    unsure.labels[::2] = np.random.default_rng(0).integers(0, 7, 350)  # half of them have random labels
    run = trainer(tmp_path, dataclasses.replace(PAPER.resize(12, None), learning_rate=0.05))
    list(run.train_epochs())
    model = run.build_trained_model()
    last = model.get_layer("logits")
    last.set_weights([2 * values for values in last.get_weights()])
    others = made_faces(700, seed=4)
    others.labels[::2] = np.random.default_rng(1).integers(0, 7, 350)
    before = predict(model, others.pixels)
    scale_model(model, unsure)
    after = predict(model, others.pixels)
    assert (
        compute_calibration_error(after, others.labels) < compute_calibration_error(before, others.labels) / 3
    )
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_good_epoch(tmp_path: Path) -> None:
    next(trainer(tmp_path).train_epochs())
    run = trainer(tmp_path, dataclasses.replace(PAPER, learning_rate=1e30))
    run.resume()
    with pytest.raises(
        RunError, match=r"epoch 2: the training diverged .* and the weights of epoch 1 are kept"
    ):
        list(run.train_epochs())
    again = trainer(tmp_path)
    again.resume()
    assert len(again.history) == 1
    assert all(np.isfinite(array).all() for array in weights(again))


def test_a_first_loss_that_is_no_number_leaves_nothing_to_keep(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"epoch 1: the training diverged .* and no weights were saved"):
        list(trainer(tmp_path, dataclasses.replace(PAPER, learning_rate=1e38)).train_epochs())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("plain", "same"), [(0, False), (1, True)], ids=["mixed", "plain"])
def test_faces_are_mixed_except_in_plain_epochs(plain: int, same: bool, tmp_path: Path) -> None:
    recipe = dataclasses.replace(PAPER.resize(1, None), flip_only_epochs=plain)
    runs = [trainer(tmp_path, dataclasses.replace(recipe, mixup=alpha)) for alpha in (0.0, 1.0)]
    for run in runs:
        list(run.train_epochs())
    assert same == all(np.array_equal(a, b) for a, b in zip(weights(runs[0]), weights(runs[1]), strict=True))


def test_each_step_is_reported(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    next(trainer(tmp_path).train_epochs(lambda step, of, loss, accuracy: steps.append((step, of))))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_without_validation_faces_there_are_no_validation_figures(tmp_path: Path) -> None:
    report = next(trainer(tmp_path, validation=None).train_epochs())
    assert (report.val_loss, report.val_accuracy) == (None, None)


def test_images_without_an_emotion_are_left_out(tmp_path: Path) -> None:
    spoilt = made_faces(56)
    spoilt.pixels[3:6] = 200
    nobody = VOTES.copy()
    nobody[10:14] = 0
    nobody[10:14, len(FERPLUS_LABELS) + 1] = 10  # all ten votes say that there is no face
    assert trainer(tmp_path, training=spoilt).samples == 53
    assert trainer(tmp_path, MODERN, training=spoilt, votes=nobody).samples == 49
    spoilt.pixels[:] = 0
    with pytest.raises(DataError, match="all 56 images are blank"):
        trainer(tmp_path, training=spoilt)


def test_class_weights_change_the_outcome(tmp_path: Path) -> None:
    runs = [
        trainer(tmp_path, PAPER.resize(1, None), class_weights=weight)
        for weight in (None, np.array([9, 1, 1, 1, 1, 1, 1], np.float32))
    ]
    for run in runs:
        list(run.train_epochs())
    assert not all(np.array_equal(a, b) for a, b in zip(weights(runs[0]), weights(runs[1]), strict=True))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    next(trainer(tmp_path).train_epochs())
    with pytest.raises(RunError, match="another network or recipe"):
        trainer(tmp_path, MODERN).resume()


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"PK\x03\x04 cut off"], ids=["empty", "text", "truncated"]
)
def test_a_checkpoint_that_cannot_be_read_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT_FILE).write_bytes(content)
    with pytest.raises(RunError, match=f"{CHECKPOINT_FILE}: cannot read this checkpoint"):
        trainer(tmp_path).resume()


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(tmp_path)
    next(run.train_epochs())
    kept = (tmp_path / CHECKPOINT_FILE).read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez", full)
    with pytest.raises(RunError, match=r"No space left on device.*resume the run"):
        next(run.train_epochs())
    assert (tmp_path / CHECKPOINT_FILE).read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]
