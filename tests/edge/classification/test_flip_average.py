"""The mean of the scores of a face and of its mirror image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import extract_face
from fer_edge.recognizer import EmotionRecognizer
from fer_edge.types import Detection, FaceBox, Frame, Image
from tests.edge.support import read_rows, run_fer_edge

FACE = Detection(FaceBox(155, 105, 222, 222), tilt=20.0)


def test_the_scores_are_the_mean_of_both(portrait: Image) -> None:
    with Classifier() as plain, Classifier(flip_average=True) as averaged:
        pixels = extract_face(Frame(portrait), FACE, plain.spec)
        expected = (plain.predict(pixels) + plain.predict(np.ascontiguousarray(pixels[:, ::-1]))) / 2
        scores = averaged.classify(Frame(portrait), FACE)
        assert scores.values == pytest.approx(expected.tolist())
        assert sum(scores.values) == pytest.approx(1)
        assert scores.values != plain.classify(Frame(portrait), FACE).values


def test_a_face_and_its_mirror_image_then_show_the_same(portrait: Image) -> None:
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    box = FaceBox(155, 105, 222, 222)
    other = FaceBox(portrait.shape[1] - box.x - box.width, box.y, box.width, box.height)
    with Classifier(flip_average=True) as averaged:
        one = averaged.classify(Frame(portrait), Detection(box))
        two = averaged.classify(Frame(mirrored), Detection(other))
    assert one.values == pytest.approx(two.values, abs=0.03)


def test_flip_averaging_is_off_by_default_everywhere(portrait: Image, portrait_path: Path) -> None:
    def scores(*options: str) -> dict[str, float]:
        (row,) = read_rows(run_fer_edge("image", portrait_path, "-r", "-", *options).stdout)
        (face,) = row["faces"]
        return dict(face["scores"])

    off, on = scores("--no-flip-average"), scores("--flip-average")
    assert scores() == off != on
    with EmotionRecognizer(flip_average=True) as recognizer:
        (face,) = recognizer.analyze(portrait)
        assert face.scores.as_dict() == pytest.approx(on, abs=1e-5)
        (result,) = recognizer.stream(portrait_path)
        assert result.faces[0].scores.as_dict() == pytest.approx(on, abs=1e-5)
