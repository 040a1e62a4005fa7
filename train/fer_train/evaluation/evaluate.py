"""What a model is worth on a split of a data set: a run folder, a ``.keras`` or a ``.tflite`` file alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from fer_edge.errors import DataError
from fer_edge.runtime.atomic_files import make_folder, write_json
from fer_train.data.crops import faces_for
from fer_train.data.dataset import Faces
from fer_train.evaluation.metrics import measured
from fer_train.models.loading import open_network

__all__ = ["evaluate", "write_evaluation"]

_BATCH: Final = 256

Progress = Callable[[Iterable[Any]], Iterable[Any]]


def evaluate(model: Path, faces: Faces, split: str, progress: Progress = iter) -> dict[str, Any]:
    """The content of ``report.json`` for a model on one split.

    ``progress`` wraps the batches. Raises ModelError when there is no model, ContractError when its contract
    is missing or contradicts it, DataError when the split is absent or the faces are not of its labels.
    """
    network = open_network(model)
    spec = network.spec
    chosen = faces_for(spec, faces.split(split))
    size = chosen.pixels.shape[1:]
    if size != (spec.height, spec.width) or spec.channels != 1:
        raise DataError(
            f"{model}: expected a model for gray faces of {size[1]}×{size[0]} pixels, "
            f"its spec says {spec.color} ones of {spec.width}×{spec.height}"
        )
    starts = progress(range(0, len(chosen), _BATCH))
    probabilities = np.concatenate([network(chosen.pixels[start : start + _BATCH]) for start in starts])
    return {
        "model": str(model),
        "sha256": hashlib.sha256(network.path.read_bytes()).hexdigest(),
        "split": split,
        **measured(probabilities, chosen.labels, spec.labels),
    }


def write_evaluation(folder: Path, report: dict[str, Any]) -> None:
    """Write ``report.json`` and ``confusion.png``; raises OutputError."""
    from fer_train.evaluation.plots import draw_confusion

    make_folder(folder)
    write_json(folder / "report.json", report)
    draw_confusion(folder / "confusion.png", report, Path(report["model"]).name)
