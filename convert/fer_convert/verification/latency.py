"""Latency of a model file for one face."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.models.find_model import ModelFile

__all__ = ["measure_latency"]

_THREADS: Final = (1, 2)
_WARM_UP: Final = 20
_TIMED: Final = 200


def measure_latency(model: ModelFile, images: NDArray[np.uint8]) -> dict[str, float]:
    """Measure the median latency per image in ms, by the number of threads.

    ``images``, uint8 (n > 0, height, width, channels), are used in turn; the first runs are a warm-up. Raises
    ModelError if the file cannot be loaded.
    """
    medians = {}
    for threads in _THREADS:
        with Classifier(model, threads=threads) as classifier:
            times = []
            for index in range(_WARM_UP + _TIMED):
                started = time.perf_counter()
                classifier.predict(images[index % len(images)])
                times.append(time.perf_counter() - started)
        medians[str(threads)] = round(1000 * float(np.median(times[_WARM_UP:])), 3)
    return medians
