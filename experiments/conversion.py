"""What int8 costs, by how it is calibrated and rounded: the table of docs/conversion.md.

Each row converts the run anew with several seeds and is compared on a split with float32.

    python -m experiments.conversion RUN DATA [--samples 500] [--seeds 3] [--split PublicTest]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from fer_convert.keras_graph.cross_layer_equalization import equalized
from fer_convert.quantization.calibration_data import calibration_faces
from fer_convert.quantization.gptq import rounded
from fer_convert.tflite.container import with_contract
from fer_convert.tflite.converter import converted, export
from fer_convert.trained_model import find_source
from fer_convert.verification.verify import agreement, network_pixels, probabilities
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import Variant
from fer_train.data.dataset import FaceDataset, load_faces

Pictures = NDArray[np.uint8]


def random_faces(faces: FaceDataset, samples: int, seed: int) -> FaceDataset:
    """Any pictures but entirely flat ones, as they come."""
    spread = np.flatnonzero(np.ptp(faces.pixels.reshape(len(faces), -1), axis=1) > 0)
    return faces.select(np.random.default_rng(seed).choice(spread, samples, replace=False))


def plain(model: keras.Model, pictures: Pictures) -> bytes:
    """TensorFlow's converter alone."""
    return converted(model, "int8", pictures)


def evened(model: keras.Model, pictures: Pictures) -> bytes:
    """The converter after equalization."""
    return converted(equalized(model, pictures), "int8", pictures)


def rerounded(model: keras.Model, pictures: Pictures) -> bytes:
    """The converter, then rounding by effect."""
    return rounded(plain(model, pictures), converted(model, "float32"), pictures)


def shipped(model: keras.Model, pictures: Pictures) -> bytes:
    """What fer-convert does: both."""
    return export(model, "int8", pictures)


Choice = Callable[[FaceDataset, int, int], FaceDataset]
Method = Callable[[keras.Model, Pictures], bytes]
ROWS: tuple[tuple[str, Choice, Method], ...] = (
    ("any pictures; converter alone", random_faces, plain),
    ("as many of each, faces only; converter alone", calibration_faces, plain),
    ("… equalized", calibration_faces, evened),
    ("… rounded by effect", calibration_faces, rerounded),
    ("… equalized and rounded by effect: what fer-convert does", calibration_faces, shipped),
)


def main() -> None:
    """Print the table, one row per choice, the means over the seeds and the worst."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--samples", default="500", help="numbers of faces, separated by commas")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", default="PublicTest")
    options = parser.parse_args()

    source = find_source(options.run)
    model = source.load()
    faces = load_faces(options.data)
    training, test = faces.split("Training"), faces.split(options.split)
    pixels = network_pixels(test)

    def scores(network: bytes, variant: Variant) -> NDArray[np.float32]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            path.write_bytes(with_contract(network, source.spec.replace(variant=variant)))
            return probabilities(find_model(path), pixels)

    def accuracy(predicted: NDArray[np.float32]) -> float:
        return 100 * float(np.mean(predicted.argmax(axis=1) == test.labels))

    reference = scores(converted(model, "float32"), "float32")
    print(f"float32: {accuracy(reference):.2f} % on {len(test):,} faces of {options.split}\n")
    print("| int8 | samples | points lost: mean, worst | top-1 agreement: mean, worst | mean \\|Δp\\| |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, choose, method in ROWS:
        for samples in map(int, options.samples.split(",")):
            lost, agreed, differed = [], [], []
            for seed in range(options.seeds):
                int8 = scores(method(model, network_pixels(choose(training, samples, seed))), "int8")
                compared = agreement(reference, int8)
                lost.append(accuracy(reference) - accuracy(int8))
                agreed.append(100 * compared.top1)
                differed.append(compared.mean_difference)
            print(
                f"| {name} | {samples:,} | {np.mean(lost):+.2f}, {max(lost):+.2f} "
                f"| {np.mean(agreed):.2f} %, {min(agreed):.2f} % | {np.mean(differed):.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
