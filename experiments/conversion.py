"""Compare int8 accuracy across calibration and rounding methods: the table in docs/conversion.md.

Each row converts the run with several seeds and compares the result with float32 on one split.

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

from fer_convert.conversion.network import convert_to_tflite
from fer_convert.keras_graph.cross_layer_equalization import equalize_layers
from fer_convert.quantization.calibration_data import select_calibration_faces
from fer_convert.quantization.gptq import apply_gptq
from fer_convert.tflite.container import embed_spec
from fer_convert.tflite.converter import run_converter
from fer_convert.trained_model import find_trained_model
from fer_convert.verification.predictions import compare_predictions, predict_with_runtime
from fer_convert.verification.verify import extract_images
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import Variant
from fer_train.data.dataset import FaceDataset, load_faces

Images = NDArray[np.uint8]


def select_random_faces(faces: FaceDataset, samples: int, seed: int) -> FaceDataset:
    """Select random images, except those with a single gray level."""
    spread = np.flatnonzero(np.ptp(faces.pixels.reshape(len(faces), -1), axis=1) > 0)
    return faces.select(np.random.default_rng(seed).choice(spread, samples, replace=False))


def convert_alone(model: keras.Model, images: Images) -> bytes:
    """Convert with TensorFlow's converter only."""
    return run_converter(model, "int8", images)


def convert_equalized(model: keras.Model, images: Images) -> bytes:
    """Equalize the layers, then convert."""
    return run_converter(equalize_layers(model, images), "int8", images)


def convert_with_gptq(model: keras.Model, images: Images) -> bytes:
    """Convert, then apply GPTQ."""
    return apply_gptq(convert_alone(model, images), run_converter(model, "float32"), images)


def convert_as_shipped(model: keras.Model, images: Images) -> bytes:
    """Convert as fer-convert does, with equalization and GPTQ."""
    return convert_to_tflite(model, "int8", images)


Choice = Callable[[FaceDataset, int, int], FaceDataset]
Method = Callable[[keras.Model, Images], bytes]
ROWS: tuple[tuple[str, Choice, Method], ...] = (
    ("random images; converter only", select_random_faces, convert_alone),
    ("balanced faces; converter only", select_calibration_faces, convert_alone),
    ("… equalization", select_calibration_faces, convert_equalized),
    ("… GPTQ", select_calibration_faces, convert_with_gptq),
    ("… equalization and GPTQ (fer-convert)", select_calibration_faces, convert_as_shipped),
)


def main() -> None:
    """Print the table: one row per method, with the mean over the seeds and the worst seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--samples", default="500", help="comma-separated numbers of calibration faces")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", default="PublicTest")
    options = parser.parse_args()

    source = find_trained_model(options.run)
    model = source.load()
    faces = load_faces(options.data)
    training, test = faces.split("Training"), faces.split(options.split)
    images = extract_images(test)

    def predict(network: bytes, variant: Variant) -> NDArray[np.float32]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            path.write_bytes(embed_spec(network, source.spec.replace(variant=variant)))
            return predict_with_runtime(find_model(path), images)

    def compute_accuracy(predicted: NDArray[np.float32]) -> float:
        return 100 * float(np.mean(predicted.argmax(axis=1) == test.labels))

    reference = predict(run_converter(model, "float32"), "float32")
    print(f"float32: {compute_accuracy(reference):.2f} % on {len(test):,} faces of {options.split}\n")
    print(
        "| int8 | samples | accuracy drop, points: mean, worst | top-1 agreement: mean, worst | mean \\|Δp\\| |"
    )
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, choose, method in ROWS:
        for samples in map(int, options.samples.split(",")):
            drops, agreed, differed = [], [], []
            for seed in range(options.seeds):
                int8 = predict(method(model, extract_images(choose(training, samples, seed))), "int8")
                compared = compare_predictions(reference, int8)
                drops.append(compute_accuracy(reference) - compute_accuracy(int8))
                agreed.append(100 * compared.top1)
                differed.append(compared.mean_difference)
            print(
                f"| {name} | {samples:,} | {np.mean(drops):+.2f}, {max(drops):+.2f} "
                f"| {np.mean(agreed):.2f} %, {min(agreed):.2f} % | {np.mean(differed):.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
