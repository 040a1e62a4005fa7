"""Classify faces on several threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fer_edge.classification.classifier import Classifier
from fer_edge.models.find_model import ModelFile
from fer_edge.types import Detection, EmotionScores, Frame

__all__ = ["ClassifierPool"]


class ClassifierPool:
    """Classifies the faces of a frame on several threads, one interpreter each."""

    def __init__(self, model: ModelFile, threads: int, *, flip_average: bool = False) -> None:
        self._classifiers = [Classifier(model, flip_average=flip_average) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def classify(self, frame: Frame, faces: Sequence[Detection]) -> list[EmotionScores]:
        """Return the scores of the faces, in order."""
        if self._pool is None or len(faces) < 2:
            return [self._classifiers[0].classify(frame, face) for face in faces]
        count = len(self._classifiers)
        scores: list[EmotionScores | None] = [None] * len(faces)

        def classify_share(worker: int) -> None:
            for i in range(worker, len(faces), count):
                scores[i] = self._classifiers[worker].classify(frame, faces[i])

        for done in [self._pool.submit(classify_share, worker) for worker in range(count)]:
            done.result()
        return [score for score in scores if score is not None]

    def close(self) -> None:
        """Stop the threads and free the interpreters."""
        if self._pool is not None:
            self._pool.shutdown()
        for classifier in self._classifiers:
            classifier.close()
