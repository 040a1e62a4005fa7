"""How MediaPipe's boxes differ from Haar's, and what that means for the emotion.

Each face of FER-2013 is put into a larger picture, and the classifier judges Haar's
and MediaPipe's boxes of the same faces; choose on Training or PublicTest, never on PrivateTest. Times and
faces found on pictures of one's own are what ``fer-edge benchmark --detectors`` shows.

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

FACE, MARGIN = 192, 96  # pixels: the enlarged face, and what surrounds it on each side


def scene(face: np.ndarray, rng: np.random.Generator) -> Frame:
    """An image with the face in the middle of a blurred continuation of its surroundings."""
    large = cv2.resize(face, (FACE, FACE), interpolation=cv2.INTER_CUBIC)
    around = cv2.copyMakeBorder(large, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
    around = cv2.GaussianBlur(around, (0, 0), 8)
    around = np.clip(around + rng.normal(0, 3, around.shape), 0, 255).astype(np.uint8)
    around[MARGIN : MARGIN + FACE, MARGIN : MARGIN + FACE] = large
    return Frame(cv2.cvtColor(around, cv2.COLOR_GRAY2BGR))


def boxes(data: str, count: int, haar: Detector, mediapipe: Detector) -> None:
    """Print how Haar's boxes differ from MediaPipe's, and the accuracy with either."""
    faces = load_faces(data).split("Training")
    rng = np.random.default_rng(0)
    classifier = Classifier()
    differences, right, found = [], [], np.zeros(2, int)
    for index in rng.permutation(len(faces))[:count]:
        frame = scene(faces.pixels[index], rng)
        pair = haar.detect(frame), mediapipe.detect(frame)
        found += [len(detections) > 0 for detections in pair]
        if [len(detections) for detections in pair] == [1, 1]:
            (a,), (b,) = pair
            differences.append(difference(a.box, b.box))
            right.append([judge(classifier, frame, face) == faces.labels[index] for face in (a, b)])
    print(f"of {count} faces found: haar {found[0]}, mediapipe {found[1]}, by both once {len(right)}")
    size, down = np.median(differences, 0)
    print(f"Haar's boxes are {size:.3f} times as large as MediaPipe's and {down:+.3f} heights further down")
    print("accuracy with their boxes: haar {:.3f}, mediapipe {:.3f}".format(*np.mean(right, 0)))


def difference(haar: FaceBox, other: FaceBox) -> tuple[float, float]:
    """Haar's size over the other's, and how far its centre is below the other's, in the other's heights."""
    below = haar.y + haar.height / 2 - other.y - other.height / 2
    return haar.width / other.width, below / other.height


def judge(classifier: Classifier, frame: Frame, face: Detection) -> int:
    """The label that the classifier gives a face."""
    return int(classifier.predict(extract_face(frame, face, classifier.spec)).argmax())


def main() -> None:
    """Compare the two."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--faces", type=int, default=900)
    options = parser.parse_args()
    haar, mediapipe = create_detector("haar"), create_detector("mediapipe", model=options.model)
    boxes(options.data, options.faces, haar, mediapipe)
    mediapipe.close()


if __name__ == "__main__":
    main()
