"""What int8 costs, by how its calibration is chosen: the table of docs/conversion.md.

Each choice converts the run anew and is compared on PublicTest with float32, over several seeds.

    python -m bench.conversion RUN DATA [--samples 100,200,500,1000,2000] [--seeds 3] [--split PublicTest]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fer_convert.calibrate import calibration_faces
from fer_convert.export import export
from fer_convert.package import with_contract
from fer_convert.source import find_source
from fer_convert.verify import agreement, network_pixels, probabilities
from fer_edge.models import find_model
from fer_edge.spec import Variant
from fer_train.data import Faces, load_faces


def random_faces(faces: Faces, samples: int, seed: int) -> Faces:
    """Any pictures but entirely flat ones, as they come."""
    spread = np.flatnonzero(np.ptp(faces.pixels.reshape(len(faces), -1), axis=1) > 0)
    return faces.take(np.random.default_rng(seed).choice(spread, samples, replace=False))


METHODS: dict[str, Callable[[Faces, int, int], Faces]] = {
    "any picture": random_faces,
    "balanced, faces only": calibration_faces,
}


def main() -> None:
    """Print the table, one row per choice, the means over the seeds and the worst."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--samples", default="100,200,500,1000,2000")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", default="PublicTest")
    options = parser.parse_args()

    source = find_source(options.run)
    model = source.load()
    faces = load_faces(options.data)
    training, test = faces.split("Training"), faces.split(options.split)
    pixels = network_pixels(test)

    def scores(variant: Variant, calibration: Faces | None = None) -> np.ndarray:
        pictures = () if calibration is None else network_pixels(calibration)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            path.write_bytes(
                with_contract(export(model, variant, pictures), source.spec.replace(variant=variant))
            )
            return probabilities(find_model(path), pixels)

    def accuracy(predicted: np.ndarray) -> float:
        return 100 * float(np.mean(predicted.argmax(axis=1) == test.labels))

    reference = scores("float32")
    print(f"float32: {accuracy(reference):.2f} % on {len(test):,} faces of {options.split}\n")
    print(
        "| calibration | samples | points lost: mean, worst | top-1 agreement: mean, worst | mean \\|Δp\\| |"
    )
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, choose in METHODS.items():
        for samples in map(int, options.samples.split(",")):
            lost, agreed, differed = [], [], []
            for seed in range(options.seeds):
                int8 = scores("int8", choose(training, samples, seed))
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
