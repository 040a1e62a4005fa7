from __future__ import annotations

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import normalize
from fer_train.models.prediction import predict, predict_with_flip, wrap_classifier

FACES = np.random.default_rng(0).integers(0, 256, (5, 48, 48)).astype(np.uint8)


def compute_means(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Act as a network with two outputs: the mean of each half of the image."""
    halves = [pixels[:, :, :24].mean(axis=(1, 2)), pixels[:, :, 24:].mean(axis=(1, 2))]
    return np.stack(halves, axis=1).astype(np.float32)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 256])
def test_batches_of_any_size_give_the_same(batch_size: int) -> None:
    assert np.array_equal(predict(compute_means, FACES, batch_size=batch_size), compute_means(FACES))


@pytest.mark.parametrize("pixels", [FACES, FACES[..., None]], ids=["without channels", "with channels"])
def test_a_keras_model_sees_normalized_pixels_with_a_channel(pixels: NDArray[np.uint8]) -> None:
    inputs = keras.Input((48, 48, 1))
    model = keras.Model(inputs, keras.layers.Flatten()(inputs))
    outputs = predict(model, pixels, batch_size=2)
    assert outputs.dtype == np.float32
    assert np.array_equal(outputs, normalize(FACES).reshape(5, -1))


def test_the_runtime_s_classifier_predicts_as_it_does_by_itself() -> None:
    with Classifier() as classifier:
        one_by_one = np.stack([classifier.predict(face[..., None]) for face in FACES])
        for pixels in (FACES, FACES[..., None]):
            assert np.array_equal(predict(wrap_classifier(classifier), pixels, batch_size=2), one_by_one)


def test_progress_wraps_the_batches_under_the_name_of_the_task() -> None:
    seen = []

    def progress(task: str, steps: object) -> list[int]:
        seen.append((task, list(steps)))  # type: ignore[call-overload]
        return seen[0][1]

    predict(compute_means, FACES, batch_size=2, progress=progress, task="Counting")
    assert seen == [("Counting", [0, 2, 4])]


def test_a_mirror_image_counts_as_much_as_the_face() -> None:
    both = predict_with_flip(compute_means, FACES)
    assert np.allclose(both[:, 0], both[:, 1])
