"""Choose how detector boxes become face crops, by geometry and accuracy on real labeled images.

FER-2013, the training data, has a typical crop width in eye distances and a typical height of the eyes. A detector's
framing and a model's crop rule are right if crops of real images match that geometry and accuracy is highest. Images
are ``<label>/*`` in a folder; YuNet's key points locate the eyes. Each rule is chosen on one half of the images and
evaluated on the other, in both directions.

    python -m experiments.framing IMAGES --yunet MODEL [--fer DATA] [--detector haar] [--model NAME|FILE]
    python -m experiments.framing IMAGES --yunet MODEL --detector mediapipe --detector-model MODEL
"""

from __future__ import annotations

import argparse
import itertools
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import compute_crop_bounds, extract_face
from fer_edge.detectors.registry import create_detector
from fer_edge.sources.image_io import read_image
from fer_edge.types import Detection, Frame
from fer_train.data.dataset import load_faces

SIDE = 192  # side of an enlarged FER-2013 face, in pixels
FER_FACES = 400
SCALES = (0.9, 0.95, 1.0, 1.05, 1.1)
SHIFTS = (-0.05, 0.0, 0.05)


def measure_eyes(detection: Detection, bounds: tuple[int, int, int, int]) -> tuple[float, float]:
    """Return the crop width in eye distances, and the relative height of the eyes, 0 at the top."""
    (ax, ay), (bx, by) = detection.landmarks[:2]
    left, top, right, bottom = bounds
    return (right - left) / math.hypot(bx - ax, by - ay), ((ay + by) / 2 - top) / (bottom - top)


def describe_fer(data: Path, yunet: Path) -> None:
    """Print the framing of faces in FER-2013."""
    faces = load_faces(data).split("Training").pixels
    seen = []
    detector = create_detector("yunet", model=yunet, still_image=True)
    for face in faces[np.random.default_rng(0).permutation(len(faces))[:FER_FACES]]:
        large = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        found = detector.detect(Frame(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)))
        seen += [measure_eyes(found[0], (0, 0, SIDE, SIDE))] if found else []
    width, height = np.median(seen, 0)
    print(f"FER-2013, {len(seen)} faces: {width:.2f} eye distances across, eyes at {height:.3f}")


class LabeledImages:
    """Labeled images, the faces found in them, and the classifier to evaluate."""

    def __init__(self, folder: Path, detector: str, detector_model: Path | None, model: str | None) -> None:
        self.classifier = Classifier(model)
        labels = self.classifier.spec.labels
        paths = sorted(path for path in folder.glob("*/*") if path.parent.name in labels)
        self.labels = np.array([labels.index(path.parent.name) for path in paths])
        self.frames = [Frame(read_image(path)) for path in paths]
        finder = create_detector(detector, still_image=True, model=detector_model)
        self.faces = [next(iter(finder.detect(frame)), None) for frame in self.frames]
        finder.close()
        self.first_half = np.random.default_rng(0).permutation(len(paths)) % 2 == 0

    def evaluate(self, scale: float, shift: float, *, flip: bool = False) -> np.ndarray:
        """Return a mask, bool (n,), of the images classified correctly with adjusted crops.

        Crops are enlarged by ``scale`` and moved down by ``shift`` box heights. With ``flip``, predictions for mirror
        images are averaged in.
        """
        right = np.zeros(len(self.frames), bool)
        spec = self.classifier.spec
        for index, (frame, face) in enumerate(zip(self.frames, self.faces, strict=True)):
            if face is None:
                continue
            pixels = extract_face(frame, self.reframe(face, scale, shift), spec)
            scores = self.classifier.predict(pixels)
            if flip:
                scores = scores + self.classifier.predict(np.ascontiguousarray(pixels[:, ::-1]))
            right[index] = scores.argmax() == self.labels[index]
        return right

    def reframe(self, face: Detection, scale: float, shift: float) -> Detection:
        """Return the face with its framing enlarged by ``scale`` and shifted by ``shift``."""
        framing = face.framing
        return replace(
            face, framing=replace(framing, scale=framing.scale * scale, shift_y=framing.shift_y + shift)
        )

    def describe(self, yunet: Path) -> None:
        """Print the framing of the faces under the shipped rules."""
        eyes = create_detector("yunet", model=yunet, still_image=True)
        seen = []
        for frame, face in zip(self.frames, self.faces, strict=True):
            keyed = next(iter(eyes.detect(frame)), None) if face is not None else None
            if keyed is not None and face is not None and keyed.box.iou(face.box) > 0.3:
                seen.append(measure_eyes(keyed, compute_crop_bounds(face, self.classifier.spec.crop)))
        width, height = np.median(seen, 0)
        found = sum(face is not None for face in self.faces)
        print(f"{found} of {len(self.frames)} found; {width:.2f} eye distances across, eyes at {height:.3f}")


def main() -> None:
    """Print the geometry of the crops, and the accuracy of each rule."""
    parser = argparse.ArgumentParser(
        prog="experiments.framing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument(
        "--yunet", type=Path, required=True, help="YuNet model; its key points locate the eyes"
    )
    parser.add_argument("--fer", type=Path, metavar="DATA", help="FER-2013, to print its framing as well")
    parser.add_argument("--detector", default="haar")
    parser.add_argument("--detector-model", type=Path, help="the detector's model (yunet: that of --yunet)")
    parser.add_argument("--model")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.fer is not None:
        describe_fer(options.fer, options.yunet)
    detector_model = options.yunet if options.detector == "yunet" else options.detector_model
    images = LabeledImages(options.images, options.detector, detector_model, options.model)
    print(options.detector, images.classifier.spec.crop)
    images.describe(options.yunet)
    first, results = images.first_half, {}
    for scale, shift in itertools.product(SCALES, SHIFTS):
        right = results[scale, shift] = images.evaluate(scale, shift)
        flipped = images.evaluate(scale, shift, flip=True).mean()
        halves = f"{right[first].mean():.3f} and {right[~first].mean():.3f}"
        print(
            f"× {scale:.2f} {shift:+.2f}: {right.mean():.4f} ({halves}), with flips {flipped:.4f}", flush=True
        )
    held_back = 0
    for half in (first, ~first):
        best = max(results, key=lambda rule: results[rule][half].mean())
        held_back += int(results[best][~half].sum())
        print(
            f"chosen on one half: × {best[0]:.2f} {best[1]:+.2f}: {results[best][~half].mean():.4f} on the other"
        )
    print(f"accuracy on the held-out halves: {held_back / len(images.frames):.4f}")


if __name__ == "__main__":
    main()
