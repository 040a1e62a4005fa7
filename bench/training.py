"""Measure the training speed and memory of each architecture on each installed Keras backend.

Each combination runs in a separate process, which trains for some steps on synthetic faces like ``fer-train fit``.

    python -m bench.training ARCH    # a single architecture on the backend named by KERAS_BACKEND
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from fer_train.models.registry import ARCHITECTURES
from fer_train.training.recipes import find_recipe

BACKENDS = ("tensorflow", "jax", "torch")
STEPS = 40
RECIPE = find_recipe("modern", "mini-resnet")


def measure() -> list[dict[str, Any]]:
    """Measure images per second and peak memory for every architecture and backend, one at a time."""
    return [
        measure_backend(arch, backend)
        for backend in BACKENDS
        if importlib.util.find_spec(backend) is not None
        for arch in ARCHITECTURES.names
    ]


def measure_backend(arch: str, backend: str) -> dict[str, Any]:
    """Measure one architecture on one backend in a separate process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.training", arch],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"architecture": arch, "backend": backend, **figures}


def measure_here(arch: str) -> dict[str, Any]:
    """Measure one architecture in this process."""
    from fer_train.data.batches import Batches
    from fer_train.data.dataset import FaceDataset
    from fer_train.objectives.labels import LabelsObjective
    from fer_train.training.trainer import Trainer

    count = STEPS * RECIPE.batch_size
    rng = np.random.default_rng(0)
    faces = FaceDataset(
        rng.integers(0, 256, (count, 48, 48), np.uint8),
        rng.integers(0, 7, count),
        np.full(count, "Training"),
        np.full(count, -1),
    )
    batches = Batches(
        faces.pixels,
        {"emotion": np.eye(7, dtype=np.float32)[faces.labels]},
        batch_size=RECIPE.batch_size,
        augmentation=RECIPE.augmentation,
        seed=0,
        epoch=0,
    )
    started = time.perf_counter()
    for step in range(len(batches)):
        batches[step]
    input_s = time.perf_counter() - started
    recipe = RECIPE.resize(1, None)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            ARCHITECTURES.load(arch),
            recipe,
            [LabelsObjective(recipe.label_smoothing)],
            faces,
            None,
            Path(folder),
        )
        (report,) = trainer.train_epochs()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "images_per_s": round(report.images_per_s),
        "input_alone_images_per_s": round(count / input_s),
        "peak_memory_mb": round(peak / 1e6 if sys.platform == "darwin" else peak / 1e3),
    }


if __name__ == "__main__":
    print(json.dumps(measure_here(sys.argv[1])))
