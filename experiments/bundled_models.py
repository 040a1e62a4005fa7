"""Compare the bundled models on real images through the whole runtime, and on PublicTest: docs/experiments.md.

Images are ``<label>/*`` in a folder; an image in which no face is found counts as wrong. Every model gets the same
face crops, made by the shipped rules. McNemar's exact test compares each model with the first and the previous one.

    python -m experiments.bundled_models [IMAGES --yunet MODEL] [--data DATA] [-m default -m accurate -m FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from experiments.framing import LabeledImages
from fer_convert.verification.predictions import predict_with_runtime
from fer_convert.verification.verify import extract_images
from fer_edge.classification.classifier import Classifier
from fer_edge.models.find_model import BUNDLED, find_model
from fer_train.data.dataset import load_faces
from fer_train.evaluation.report import format_interval
from fer_train.evaluation.statistics import mcnemar_p_value, wilson_interval

Correct = NDArray[np.bool_]
Results = dict[str, tuple[Correct, Correct]]
"""For each model, which images it classifies correctly, without and with averaging over mirror images."""


def evaluate_images(
    folder: Path, detector: str, yunet: Path, models: list[str]
) -> tuple[LabeledImages, Results]:
    """Find the face in each image once, and classify it with each model."""
    images = LabeledImages(folder, detector, yunet if detector == "yunet" else None, models[0])
    results: Results = {}
    for model in models:
        images.classifier = Classifier(model)
        results[model] = images.evaluate(1.0, 0.0), images.evaluate(1.0, 0.0, flip=True)
    return images, results


def evaluate_public(data: Path, models: list[str]) -> Results:
    """Classify the faces of PublicTest with each model."""
    faces = load_faces(data).split("PublicTest")
    results: Results = {}
    for model in models:
        file = find_model(model)
        both = [
            predict_with_runtime(file, extract_images(faces), flip_average=flip) for flip in (False, True)
        ]
        plain, flipped = (predicted.argmax(axis=1) == faces.labels for predicted in both)
        results[model] = plain, flipped
    return results


def print_rows(results: Results) -> None:
    """Print a table with one row for each model."""
    print("| model | correct | 95 % interval | with mirror images averaged | p vs. first | p vs. previous |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    first = previous = next(iter(results.values()))[0]
    for model, (plain, flipped) in results.items():
        interval = format_interval(list(wilson_interval(int(plain.sum()), len(plain))))
        p_values = " | ".join(f"{compute_p_value(other, plain):.2g}" for other in (first, previous))
        print(
            f"| {model} | {plain.mean():.2%} | {interval} | {flipped.mean():.2%} | {p_values} |", flush=True
        )
        previous = plain


def compute_p_value(one: Correct, other: Correct) -> float:
    """Compute the p-value of the difference between two models (McNemar's exact test)."""
    return mcnemar_p_value(int((one & ~other).sum()), int((other & ~one).sum()))


def print_labels(images: LabeledImages, results: Results) -> None:
    """Print the share of each label's images that each model classifies correctly."""
    labels = images.classifier.spec.labels
    for model, (plain, _) in results.items():
        shares = [
            f"{label} {plain[images.labels == index].mean():.0%} of {(images.labels == index).sum()}"
            for index, label in enumerate(labels)
            if (images.labels == index).any()
        ]
        print(f"{model}: {', '.join(shares)}", flush=True)


def main() -> None:
    """Print a table for each detector and one for PublicTest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path, nargs="?")
    parser.add_argument("--yunet", type=Path, help="YuNet model; required with IMAGES")
    parser.add_argument("--data", type=Path, help="FER-2013, to evaluate PublicTest as well")
    parser.add_argument(
        "-m", "--model", action="append", help="model to evaluate, repeatable (default: the bundled models)"
    )
    options = parser.parse_args()
    models = options.model or list(BUNDLED)
    cv2.setNumThreads(1)
    for detector in ("haar", "yunet") if options.images else ():
        images, results = evaluate_images(options.images, detector, options.yunet, models)
        found = sum(face is not None for face in images.faces)
        print(f"\n{detector}: face found in {found} of {len(images.faces)} images\n", flush=True)
        print_rows(results)
        print()
        print_labels(images, results)
    if options.data is not None:
        print("\nPublicTest\n")
        print_rows(evaluate_public(options.data, models))


if __name__ == "__main__":
    main()
