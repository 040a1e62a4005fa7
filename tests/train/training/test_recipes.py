from __future__ import annotations

from dataclasses import replace

import pytest

from fer_edge.errors import UsageError
from fer_train.data.augmentation import Augmentation
from fer_train.models.registry import ARCHITECTURES
from fer_train.training.recipes import RECIPES, find_recipe


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("arch", ARCHITECTURES.names)
def test_every_recipe_is_there_for_every_architecture(name: str, arch: str) -> None:
    assert find_recipe(name, arch).name == name


def test_the_paper_s_recipe_is_the_paper_s() -> None:
    paper = find_recipe("paper", "bn-cnn")
    assert (paper.epochs, paper.batch_size, paper.momentum, paper.crop_mode) == (80, 50, 0.9, "haar")
    assert (paper.learning_rate, paper.decay_rate, paper.decay_steps) == (0.01, 0.99, 250)
    assert paper.calibration_folds == 0


def test_modern_takes_smaller_steps_where_nothing_normalizes_before_the_activation() -> None:
    assert find_recipe("modern", "bn-cnn").learning_rate < find_recipe("modern", "mini-resnet").learning_rate


def test_modern_trains_the_reference_network_in_a_quarter_of_the_paper_s_epochs() -> None:
    assert find_recipe("modern", "bn-cnn").epochs <= find_recipe("paper", "bn-cnn").epochs / 4


def test_another_number_of_epochs_keeps_the_share_of_plain_ones() -> None:
    modern = find_recipe("modern", "mini-resnet")
    assert modern.resize(2 * modern.epochs, None).flip_only_epochs == 2 * modern.flip_only_epochs
    assert modern.resize(None, 32).batch_size == 32


def test_a_run_ends_with_mild_and_then_plain_epochs() -> None:
    full = Augmentation(rotation=10.0, erase=0.25)
    phases = replace(
        find_recipe("paper", "bn-cnn"), epochs=6, mild_epochs=2, flip_only_epochs=1, augmentation=full
    )
    seen = [phases.augmentation_in(epoch) for epoch in range(6)]
    assert seen == [full] * 3 + [Augmentation(rotation=5.0)] * 2 + [Augmentation()]
    assert [phases.is_flip_only(epoch) for epoch in range(6)] == [False] * 5 + [True]
    assert phases.resize(12, None).mild_epochs == 4


def test_distill_goes_through_strong_views_in_turn_and_ends_with_mild_ones() -> None:
    distill = replace(find_recipe("distill", "mini-resnet"), epochs=8, mild_epochs=3)
    assert [distill.choose_view(epoch, 2, 2) for epoch in range(8)] == [0, 1, 0, 1, 0, 2, 3, 2]
    assert [distill.choose_view(epoch, 3, 0) for epoch in range(8)] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert [distill.choose_view(epoch, 0, 2) for epoch in range(8)] == [0, 1, 0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("arch", ARCHITECTURES.names)
def test_the_last_quarter_and_more_of_distill_is_mild(arch: str) -> None:
    recipe = find_recipe("distill", arch)
    assert 0.27 < recipe.mild_epochs / recipe.epochs < 0.29
    assert recipe.by_views
    assert not recipe.resize(10, None).flip_only_epochs


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(
        UsageError, match="unknown recipe 'soup'; choose one of paper, modern, distill, fine-tune"
    ):
        find_recipe("soup", "bn-cnn")
