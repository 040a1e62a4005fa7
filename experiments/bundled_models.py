"""The bundled models compared, on real images through the whole runtime and on PublicTest: docs/experiments.md.

Images are ``<label>/*`` in a folder; an image in which no face is found counts as wrong. Every model sees the same
crops, by the shipped rules. Differences are tested by McNemar's exact test, against the first model and the one before.

    python -m experiments.bundled_models [IMAGES --yunet MODEL] [--data DATA] [-m default -m accurate -m FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from experiments.framing import Pictures
from fer_convert.verification.predictions import predict_with_runtime
from fer_convert.verification.verify import extract_images
from fer_edge.classification.classifier import Classifier
from fer_edge.models.find_model import BUNDLED, find_model
from fer_train.data.dataset import load_faces
from fer_train.evaluation.report import format_interval
from fer_train.evaluation.statistics import mcnemar_p_value, wilson_interval

Right = NDArray[np.bool_]
Answers = dict[str, tuple[Right, Right]]
"""Which images each model classifies correctly: as they are, and with mirror images averaged."""


def judge_images(folder: Path, detector: str, yunet: Path, models: list[str]) -> tuple[Pictures, Answers]:
    """Find the face of each image once, and classify it with each model."""
    pictures = Pictures(folder, detector, yunet, models[0])
    answers: Answers = {}
    for model in models:
        pictures.classifier = Classifier(model)
        answers[model] = pictures.judge(1.0, 0.0), pictures.judge(1.0, 0.0, flip=True)
    return pictures, answers


def judge_public(data: Path, models: list[str]) -> Answers:
    """Classify the faces of PublicTest with each model."""
    faces = load_faces(data).split("PublicTest")
    answers: Answers = {}
    for model in models:
        file = find_model(model)
        both = [
            predict_with_runtime(file, extract_images(faces), flip_average=flip) for flip in (False, True)
        ]
        plain, flipped = (predicted.argmax(axis=1) == faces.labels for predicted in both)
        answers[model] = plain, flipped
    return answers


def print_rows(answers: Answers) -> None:
    """Print a row of a table for each model."""
    print("| model | correct | 95 % interval | with mirror images averaged | p, first | p, before |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    first = before = next(iter(answers.values()))[0]
    for model, (plain, flipped) in answers.items():
        interval = format_interval(list(wilson_interval(int(plain.sum()), len(plain))))
        chances = " | ".join(f"{compute_p_value(other, plain):.2g}" for other in (first, before))
        print(f"| {model} | {plain.mean():.2%} | {interval} | {flipped.mean():.2%} | {chances} |", flush=True)
        before = plain


def compute_p_value(one: Right, other: Right) -> float:
    """Compute how probable the difference of two models is by chance."""
    return mcnemar_p_value(int((one & ~other).sum()), int((other & ~one).sum()))


def print_labels(pictures: Pictures, answers: Answers) -> None:
    """Print the share of each label's images that each model classifies correctly."""
    labels = pictures.classifier.spec.labels
    for model, (plain, _) in answers.items():
        shares = [
            f"{label} {plain[pictures.labels == index].mean():.0%} of {(pictures.labels == index).sum()}"
            for index, label in enumerate(labels)
            if (pictures.labels == index).any()
        ]
        print(f"{model}: {', '.join(shares)}", flush=True)


def main() -> None:
    """Print a table for each detector, and one for PublicTest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path, nargs="?")
    parser.add_argument("--yunet", type=Path, help="YuNet's model, for images")
    parser.add_argument("--data", type=Path, help="FER-2013, to measure PublicTest as well")
    parser.add_argument("-m", "--model", action="append", help="of several the first is compared with")
    options = parser.parse_args()
    models = options.model or list(BUNDLED)
    cv2.setNumThreads(1)
    for detector in ("haar", "yunet") if options.images else ():
        pictures, answers = judge_images(options.images, detector, options.yunet, models)
        found = sum(face is not None for face in pictures.faces)
        print(f"\n{detector}: a face found in {found} of {len(pictures.faces)} images\n", flush=True)
        print_rows(answers)
        print()
        print_labels(pictures, answers)
    if options.data is not None:
        print("\nPublicTest\n")
        print_rows(judge_public(options.data, models))


if __name__ == "__main__":
    main()
