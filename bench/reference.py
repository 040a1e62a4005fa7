"""The main loop of the 2018 reference program, re-created as a baseline.

The Haar cascade searches each full-size color frame with a scale factor of 1.1 and 10 neighbors. Each face is
cropped, converted to gray, resized with cubic interpolation and classified on its own by the float network of the
paper (figure 3).
"""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from fer_edge.classification.classifier import Classifier
from fer_edge.detectors.haar import load_cascade
from fer_edge.models.find_model import find_model


def float_network(folder: Path) -> Path:
    """Write the untrained reference network as a float32 ``.tflite``; weights do not affect its speed."""
    from fer_convert.conversion.network import convert_to_tflite
    from fer_convert.tflite.container import embed_spec
    from fer_edge.models.spec import FER2013_LABELS, ModelSpec
    from fer_train.models.registry import ARCHITECTURES

    network = convert_to_tflite(ARCHITECTURES.load("bn-cnn").build(len(FER2013_LABELS)), "float32")
    path = folder / "bn-cnn-float32.tflite"
    path.write_bytes(embed_spec(network, ModelSpec(name="bn-cnn", labels=FER2013_LABELS, variant="float32")))
    return path


def frames_per_second(video: Path, model: Path, frames: int, threads: int) -> float:
    """Return the speed of the loop on the first frames of a video, without drawing or display."""
    cascade = load_cascade()
    cv2.setNumThreads(threads)
    with Classifier(find_model(model), threads=threads) as classifier:
        capture = cv2.VideoCapture(str(video))
        started = time.perf_counter()
        for _ in range(frames):
            read, image = capture.read()
            assert read, "the video is too short"
            for x, y, w, h in cascade.detectMultiScale(image, scaleFactor=1.1, minNeighbors=10):
                face = cv2.cvtColor(image[y : y + h, x : x + w], cv2.COLOR_BGR2GRAY)
                face = cv2.resize(face, (48, 48), interpolation=cv2.INTER_CUBIC)
                classifier.predict(np.asarray(face, np.uint8)[..., None])
        elapsed = time.perf_counter() - started
        capture.release()
    return frames / elapsed
