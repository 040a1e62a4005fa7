"""How a Haar box becomes the crop: measured through the runtime on data set faces in larger pictures.

Each face of FER-2013 is enlarged and put into a larger picture, the detector finds it, the crop rule
under test cuts it out, the classifier judges it. The whole picture (``--detector none``) is the
reference, on the same faces. Choose on Training or PublicTest, never on PrivateTest.

    python -m experiments.framing DATA [--model FILE] [--split Training] [--faces 1500]
"""

from __future__ import annotations

import argparse
import itertools

import cv2
import numpy as np

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import extract_face
from fer_edge.detectors.full_frame import EXACT
from fer_edge.detectors.registry import create_detector
from fer_edge.models.spec import Crop
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


def main() -> None:
    """Print the accuracy of each crop rule."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--model")
    parser.add_argument("--split", default="PublicTest")
    parser.add_argument("--faces", type=int, default=1500)
    options = parser.parse_args()
    faces = load_faces(options.data).split(options.split)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(faces))[: options.faces]
    classifier = Classifier(options.model)
    detector = create_detector("haar")
    whole = Detection(FaceBox(0, 0, 48, 48), framing=EXACT)

    found = []
    for index in chosen:
        frame = scene(faces.pixels[index], rng)
        detections = detector.detect(frame)
        if len(detections) == 1:
            found.append((index, frame, detections[0]))
    print(f"{len(found)} of {len(chosen)} faces found once")
    labels = np.array([faces.labels[index] for index, _, _ in found])

    def accuracy(pixels: list[np.ndarray]) -> float:
        return float(np.mean([classifier.predict(p).argmax() for p in pixels] == labels))

    crops = [Frame(cv2.cvtColor(faces.pixels[index], cv2.COLOR_GRAY2BGR)) for index, _, _ in found]
    reference = accuracy([extract_face(crop, whole, classifier.spec) for crop in crops])
    print(f"whole image (reference)   {reference:.4f}")
    for margin, shift in itertools.product((-0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2), (-0.05, 0.0, 0.05, 0.1)):
        spec = classifier.spec.replace(crop=Crop(margin=margin, shift_y=shift))
        print(
            f"margin {margin:+.2f} shift_y {shift:+.2f}  "
            f"{accuracy([extract_face(frame, detection, spec) for _, frame, detection in found]):.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
