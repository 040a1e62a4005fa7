"""Classification on several threads."""

from __future__ import annotations

import threading

import pytest

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.worker_pool import ClassifierPool
from fer_edge.models.find_model import ModelFile
from fer_edge.types import Detection, FaceBox
from tests.edge.support import numbered_frame


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_faces_are_shared_among_classifiers_in_their_order(threads: int, model: ModelFile) -> None:
    frame = numbered_frame(3)
    faces = [Detection(FaceBox(10 * number, 5, 48, 48)) for number in range(11)]
    pool = ClassifierPool(model, threads)
    with Classifier(model) as single:
        expected = [single.classify(frame, face) for face in faces]
    assert pool.classify(frame, faces) == expected
    assert pool.classify(frame, []) == []
    pool.close()


def test_closing_ends_its_threads(model: ModelFile) -> None:
    before = set(threading.enumerate())
    pool = ClassifierPool(model, 3)
    pool.classify(numbered_frame(0), [Detection(FaceBox(n, 0, 48, 48)) for n in range(3)])
    pool.close()
    assert set(threading.enumerate()) <= before
