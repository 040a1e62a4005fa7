"""Plausibility check of a third-party network's predictions with probe images."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.input_range import GUIDE
from fer_edge.classification.probabilities import find_fault
from fer_edge.errors import ModelError
from fer_edge.models.spec import ModelSpec

__all__ = ["make_probe_images", "probe_network"]

_SATURATED: Final = 0.999
_SAME: Final = 1e-6
_HARDLY: Final = 0.01
_FACES: Final = 6


def probe_network(classifier: Classifier) -> list[str]:
    """Run the probe images and return suspicious findings.

    Findings are sentences without a period. Raises ModelError if the outputs are not probabilities, differ for the same
    image, or are the same for every image without being certain.
    """
    path = classifier.model.path
    images = make_probe_images(classifier.spec)
    outputs = np.stack([classifier.compute_outputs(image) for image in images])
    fault = find_fault(outputs, classifier.output_step)
    if fault is not None:
        raise ModelError(f"{path}: its outputs {fault}")
    again = np.stack([classifier.compute_outputs(image) for image in images[::-1]])[::-1]
    if float(np.abs(outputs - again).max()) > max(1e-4, classifier.output_step):
        raise ModelError(
            f"{path}: its outputs for the same image differ, so it has a state or is random; convert it "
            "without stateful layers and with dropout turned off (training=False)"
        )
    spread = float(np.ptp(outputs, axis=0).max())
    certain = int(np.count_nonzero(outputs.max(axis=1) >= _SATURATED - classifier.output_step))
    advice = (
        f"if it was not trained on (pixel - 128) / 64, add a keras.layers.Rescaling at its input ({GUIDE})"
    )
    if certain >= len(images) - 1:
        return [f"its prediction is almost certain for {certain} of {len(images)} probe images; {advice}"]
    if spread <= _SAME:
        raise ModelError(
            f"{path}: its output is the same for every image; its weights may be damaged or untrained, and {advice}"
        )
    if spread <= _HARDLY:
        return [f"its outputs hardly depend on the image (differing by at most {spread:.1g}); {advice}"]
    return []


def make_probe_images(spec: ModelSpec) -> NDArray[np.uint8]:
    """Draw very different images: uint8 (n, height, width, channels).

    They have the size and the channels of the spec, and are the same for every call: black, white, ramps, noise, soft
    patches, and simple faces.
    """
    generator = np.random.default_rng(0)
    shape = (spec.height, spec.width)
    ramp = np.tile(np.linspace(0, 255, spec.width), (spec.height, 1))
    images = [
        np.zeros(shape),
        np.full(shape, 255),
        ramp,
        255 - ramp,
        generator.uniform(0, 255, shape),
        cv2.resize(generator.uniform(0, 255, (4, 4)), shape[::-1], interpolation=cv2.INTER_LINEAR),
    ]
    images += [_draw_face(shape, number) for number in range(_FACES)]
    gray = np.clip(np.stack(images), 0, 255).astype(np.uint8)[..., None]
    return np.repeat(gray, spec.channels, axis=-1)


def _draw_face(shape: tuple[int, int], number: int) -> NDArray[np.uint8]:
    """Draw a face whose brightness and smile increase with ``number``, 0 to 5."""
    side, skin = 240, 120 + 20 * number
    face = np.full((side, side), 60, np.uint8)
    cv2.ellipse(face, (120, 125), (85, 110), 0, 0, 360, skin, cv2.FILLED)
    for x in (85, 155):
        cv2.ellipse(face, (x, 100), (22, 8 + number), 0, 0, 360, 230, cv2.FILLED)
        cv2.circle(face, (x, 100), 8, 20, cv2.FILLED)
        cv2.line(face, (x - 25, 76 - 2 * number), (x + 25, 76 - 2 * number), 30, 6)
    curve = 12 * (number - 2.5)
    first, last = (0, 180) if curve > 0 else (180, 360)
    cv2.ellipse(face, (120, 185), (38, max(3, round(abs(curve)))), 0, first, last, 40, 7)
    return np.asarray(cv2.resize(face, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
