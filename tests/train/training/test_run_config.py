from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_train.training.recipes import RECIPES, find_recipe
from fer_train.training.run_config import dump_recipe, load_recipe
from fer_train.training.run_folder import RunFolder


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_read_as_it_was_stored(name: str) -> None:
    recipe = find_recipe(name, "bn-cnn")
    assert load_recipe(json.loads(json.dumps(dump_recipe(recipe)))) == recipe


def test_recipes_are_stored_under_the_names_that_earlier_versions_read() -> None:
    stored = dump_recipe(find_recipe("modern", "mini-resnet"))
    assert (stored["plain_epochs"], stored["mild_epochs"], stored["framing"]) == (4, 14, "whole")
    assert set(stored) == {
        "name", "epochs", "batch_size", "learning_rate", "schedule", "momentum", "nesterov", "warmup_epochs",
        "decay_rate", "decay_steps", "weight_decay", "ema", "label_smoothing", "plain_epochs", "mild_epochs",
        "mixup", "votes_weight", "teacher_weight", "temperature", "calibration_folds", "framing", "bfloat16",
        "augmentation", "head_epochs", "body_rate", "freeze_norms", "patience", "by_views",
    }  # fmt: skip


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    for name in (".checkpoint.123.part.npz", ".history.45.part.csv", "history.csv", ".own.1.part.npz"):
        (tmp_path / name).write_bytes(b"x")
    RunFolder(tmp_path).remove_unfinished_files()
    assert {path.name for path in tmp_path.iterdir()} == {"history.csv", ".own.1.part.npz"}
