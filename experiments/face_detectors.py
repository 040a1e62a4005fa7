"""Compare MediaPipe's boxes with Haar's, and their effect on the classified emotion.

Each FER-2013 face is placed in a larger image, and the classifier is run on the boxes that Haar and MediaPipe find for
it. Choose on Training or PublicTest, never on PrivateTest. ``fer-edge benchmark --detectors`` measures times and found
faces on your own images.

    python -m experiments.face_detectors MODEL DATA [--faces 900]
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import extract_face
from fer_edge.detectors.base import Detector
from fer_edge.detectors.registry import create_detector
from fer_edge.types import Detection, FaceBox, Frame
from fer_train.data.dataset import load_faces

FACE, MARGIN = 192, 96  # side of the enlarged face and width of the border around it, in pixels


def make_scene(face: np.ndarray, rng: np.random.Generator) -> Frame:
    """Return a frame with the enlarged face in the middle of its blurred, extended background."""
    large = cv2.resize(face, (FACE, FACE), interpolation=cv2.INTER_CUBIC)
    around = cv2.copyMakeBorder(large, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
    around = cv2.GaussianBlur(around, (0, 0), 8)
    around = np.clip(around + rng.normal(0, 3, around.shape), 0, 255).astype(np.uint8)
    around[MARGIN : MARGIN + FACE, MARGIN : MARGIN + FACE] = large
    return Frame(cv2.cvtColor(around, cv2.COLOR_GRAY2BGR))


def compare_boxes(data: str, count: int, haar: Detector, mediapipe: Detector) -> None:
    """Print how Haar's boxes differ from MediaPipe's, and the accuracy with each."""
    faces = load_faces(data).split("Training")
    rng = np.random.default_rng(0)
    classifier = Classifier()
    differences, right, found = [], [], np.zeros(2, int)
    for index in rng.permutation(len(faces))[:count]:
        frame = make_scene(faces.pixels[index], rng)
        pair = haar.detect(frame), mediapipe.detect(frame)
        found += [len(detections) > 0 for detections in pair]
        if [len(detections) for detections in pair] == [1, 1]:
            (a,), (b,) = pair
            differences.append(compute_difference(a.box, b.box))
            right.append([classify(classifier, frame, face) == faces.labels[index] for face in (a, b)])
    print(
        f"{count} faces; found by haar {found[0]}, by mediapipe {found[1]}, exactly once by both {len(right)}"
    )
    size, down = np.median(differences, 0)
    print(f"Haar's boxes are {size:.3f} times as large as MediaPipe's and {down:+.3f} heights lower")
    print("accuracy with their boxes: haar {:.3f}, mediapipe {:.3f}".format(*np.mean(right, 0)))


def compute_difference(haar: FaceBox, other: FaceBox) -> tuple[float, float]:
    """Return the ratio of Haar's width to the other's, and its vertical offset in heights of the other."""
    below = haar.y + haar.height / 2 - other.y - other.height / 2
    return haar.width / other.width, below / other.height


def classify(classifier: Classifier, frame: Frame, face: Detection) -> int:
    """Return the index of the most probable label for a face."""
    return int(classifier.predict(extract_face(frame, face, classifier.spec)).argmax())


def main() -> None:
    """Compare the two detectors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--faces", type=int, default=900)
    options = parser.parse_args()
    haar, mediapipe = create_detector("haar"), create_detector("mediapipe", model=options.model)
    compare_boxes(options.data, options.faces, haar, mediapipe)
    mediapipe.close()


if __name__ == "__main__":
    main()
