"""Evaluation of a model on one split of a data set.

The model is a run folder, a ``.keras`` file or a ``.tflite`` file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_edge.errors import DataError
from fer_edge.runtime.atomic_files import make_folder, write_json
from fer_edge.runtime.hashing import sha256_of_file
from fer_train.data.crops import prepare_faces
from fer_train.data.dataset import FaceDataset
from fer_train.evaluation.metrics import compute_metrics
from fer_train.models.loading import open_predictor
from fer_train.models.prediction import Progress, no_progress, predict
from fer_train.models.run_files import CONFUSION_FILE, LABELS_FILE, RELIABILITY_FILE, REPORT_FILE

__all__ = ["draw_report", "evaluate", "write_evaluation"]


def evaluate(model: Path, faces: FaceDataset, split: str, progress: Progress = no_progress) -> dict[str, Any]:
    """Compute the content of ``report.json`` for a model on one split.

    ``progress`` wraps the batches. Raises ModelError if the model does not exist, ContractError if its model spec is
    missing or contradicts the network, DataError if the data set lacks the split or has labels other than the model's.
    """
    network = open_predictor(model)
    spec = network.spec
    chosen = prepare_faces(spec, faces.split(split))
    size = chosen.pixels.shape[1:]
    if size != (spec.height, spec.width) or spec.channels != 1:
        raise DataError(
            f"{model}: the faces are gray, {size[1]}×{size[0]} pixels, but the model takes {spec.color} images of "
            f"{spec.width}×{spec.height} pixels; evaluate a model trained on such faces"
        )
    probabilities = predict(network, chosen.pixels, progress=progress, task=f"Evaluating on {split}")
    return {
        "model": str(model),
        "sha256": sha256_of_file(network.path),
        "split": split,
        **compute_metrics(probabilities, chosen.labels, spec.labels),
    }


def write_evaluation(folder: Path, report: dict[str, Any]) -> None:
    """Write the plots of a report, then ``report.json``; raises OutputError.

    ``report.json`` comes last: if it exists, the evaluation is complete.
    """
    make_folder(folder)
    draw_report(folder, report, Path(report["model"]).name)
    write_json(folder / REPORT_FILE, report)


def draw_report(folder: Path, report: dict[str, Any], title: str) -> None:
    """Write the confusion, label and reliability plots of a report.

    Raises OutputError.
    """
    from fer_train.evaluation.report_plots import draw_confusion, draw_labels, draw_reliability

    draw_confusion(folder / CONFUSION_FILE, report, title)
    draw_labels(folder / LABELS_FILE, report, title)
    what = f"accuracy by predicted probability, {report['samples']:,} faces of {report['split']}"
    draw_reliability(folder / RELIABILITY_FILE, {title: report["calibration"]}, f"{title}\n{what}")
