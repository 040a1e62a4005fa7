"""The contribution of each objective to a training."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import DataError, UsageError
from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_train.data.dataset import FaceDataset
from fer_train.objectives.base import ObjectiveRequest, combine_weights
from fer_train.objectives.distillation import DistillationObjective
from fer_train.objectives.labels import LabelsObjective
from fer_train.objectives.registry import OBJECTIVES, build_objectives
from fer_train.objectives.soft_labels import SoftLabels, compute_soft_labels
from fer_train.objectives.teachers import apply_temperature
from fer_train.objectives.votes import VotesObjective

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 48, 48)).astype(np.uint8)
FACES = FaceDataset(PIXELS, np.array([3, 0, 6, 2]), np.full(4, "Training"), np.array([5, 1, 0, 2]))
VOTES_HEADER = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"


class Sure:
    """A network of two labels that is certain of the second one."""

    path = Path(__file__)
    spec = ModelSpec(name="sure", labels=("no", "yes"))

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(np.array([0.1, 0.9], np.float32), (len(pixels), 1))


def build_network() -> keras.Model:
    inputs = keras.Input((48, 48, 1))
    features = keras.layers.GlobalAveragePooling2D(name="features")(inputs)
    logits = keras.layers.Dense(2, name="logits")(features)
    return keras.Model(inputs, keras.layers.Softmax()(logits))


class TestLabels:
    def test_targets_are_one_hot(self) -> None:
        targets = LabelsObjective().compute_targets(FACES)
        assert (targets.shape, targets.dtype) == ((4, 7), np.float32)
        assert targets.argmax(axis=1).tolist() == FACES.labels.tolist()

    def test_the_output_is_the_network_s_own(self) -> None:
        network = build_network()
        assert LabelsObjective().build_output(network) is network.output


class TestVotes:
    def test_targets_are_the_shares_of_the_eight_emotions_by_source_row(self) -> None:
        votes = np.zeros((6, 10), np.uint8)
        votes[5, [0, 3, 9]] = 1, 3, 6
        votes[[0, 1, 2], 1] = 10
        targets = VotesObjective(votes, 0.5).compute_targets(FACES)
        assert (targets.shape, targets.dtype) == ((4, 8), np.float32)
        assert targets[0].tolist() == [0.25, 0, 0, 0.75, 0, 0, 0, 0]

    def test_faces_in_which_nobody_saw_an_emotion_are_left_out(self) -> None:
        votes = np.ones((6, 10), np.uint8)
        votes[1, :8] = 0
        assert VotesObjective(votes, 0.5).select_faces(FACES).tolist() == [True, False, True, True]

    def test_votes_of_other_data_are_refused(self) -> None:
        with pytest.raises(DataError, match=r"new\.csv: the 3 rows of votes do not match"):
            VotesObjective(np.ones((3, 10), np.uint8), 0.5, "new.csv").select_faces(FACES)

    def test_the_head_sees_what_the_last_layer_sees(self) -> None:
        output = VotesObjective(np.ones((6, 10), np.uint8), 0.5).build_output(build_network())
        assert output.shape == (None, 8)


class TestDistillation:
    def test_networks_are_run_on_each_batch(self) -> None:
        objective = DistillationObjective([Sure()], 0.7, 2.0)
        assert objective.computes_batches
        assert objective.compute_targets(FACES) is None
        expected = apply_temperature(Sure()(PIXELS), 2.0)
        assert np.allclose(objective.compute_batch(PIXELS, None), expected)

    def test_soft_labels_are_looked_up_once(self) -> None:
        objective = DistillationObjective([soft_labels()], 0.7, 2.0)
        assert not objective.computes_batches
        targets = objective.compute_targets(FACES)
        assert targets is not None
        assert np.allclose(targets, apply_temperature(Sure()(PIXELS), 2.0), atol=1e-3)

    def test_the_softer_gradient_is_made_up_for(self) -> None:
        objective = DistillationObjective([Sure()], 0.5, 4.0)
        assert (objective.weight, objective.label_share) == (8.0, 0.5)


def soft_labels() -> SoftLabels:
    faces = FaceDataset(PIXELS, FACES.labels % 2, FACES.splits, FACES.source_rows, ("no", "yes"))
    return compute_soft_labels(faces, [Sure()])


def test_others_take_their_share_from_the_labels_alone() -> None:
    votes = VotesObjective(np.ones((6, 10), np.uint8), 0.5)
    weights = combine_weights([LabelsObjective(), votes, DistillationObjective([Sure()], 0.75)])
    assert weights == {"emotion": 0.25, "votes": 0.5, "teachers": 0.75}


class TestRegistry:
    def test_the_labels_come_first_and_the_others_where_a_run_has_what_they_need(
        self, tmp_path: Path
    ) -> None:
        votes = tmp_path / "votes.csv"
        votes.write_text(VOTES_HEADER)
        request = ObjectiveRequest(
            label_names=FER2013_LABELS, votes=votes, votes_weight=0.5, teachers=[Path("default")]
        )
        assert [o.name for o in build_objectives(request)] == ["emotion", "votes", "teachers"]
        assert [o.name for o in build_objectives(ObjectiveRequest(label_names=("a", "b")))] == ["emotion"]

    def test_teachers_say_where_they_come_from(self) -> None:
        request = ObjectiveRequest(label_names=FER2013_LABELS, teachers=[Path("default")])
        _, taught = build_objectives(request)
        assert taught.provenance == {"teachers": "default"}
        assert [len(digest) for digest in taught.file_digests] == [64]

    @pytest.mark.parametrize(("name", "missing"), [("votes", "votes"), ("distillation", "teacher")])
    def test_one_that_lacks_what_it_needs_says_so(self, name: str, missing: str) -> None:
        with pytest.raises(UsageError, match=f"needs .*{missing}"):
            OBJECTIVES.load(name)(ObjectiveRequest(label_names=("a", "b")))

    def test_an_unknown_one_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(UsageError, match="unknown objective 'x'; choose one of: labels, votes"):
            build_objectives(ObjectiveRequest(label_names=("a", "b")), ["x"])
