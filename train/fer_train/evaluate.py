"""What a model is worth on a split of a data set: a run folder, a ``.keras`` or a ``.tflite`` file alike.

Keras is imported for the first two only; a ``.tflite`` is measured through the runtime, on any device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ContractError, DataError, ModelError
from fer_edge.models import find_model
from fer_edge.spec import ModelSpec, read_spec
from fer_train.data import Faces
from fer_train.framing import faces_for
from fer_train.metrics import measured
from fer_train.output import make_folder, write_json

if TYPE_CHECKING:
    import keras

__all__ = ["evaluate", "is_tflite", "load_network", "write_evaluation"]

_MODEL, _SPEC = "model.keras", "spec.json"
_BATCH: Final = 256

Progress = Callable[[Iterable[Any]], Iterable[Any]]


def is_tflite(model: Path) -> bool:
    """Whether a model is measured through the runtime, without Keras."""
    return model.suffix == ".tflite"


def evaluate(model: Path, faces: Faces, split: str, progress: Progress = iter) -> dict[str, Any]:
    """The content of ``report.json`` for a model on one split.

    ``progress`` wraps the batches. Raises ModelError when there is no model, ContractError when its contract
    is missing or contradicts it, DataError when the split is absent or the faces are not of its labels.
    """
    if is_tflite(model):
        path = find_model(model).path
        spec = read_spec(path)
    else:
        path = _keras_file(model)
        spec = read_spec(path.with_name(_SPEC))
    chosen = faces_for(spec, faces.split(split))
    size = chosen.pixels.shape[1:]
    if size != (spec.height, spec.width) or spec.channels != 1:
        raise DataError(
            f"{model}: expected a model for gray faces of {size[1]}×{size[0]} pixels, "
            f"its spec says {spec.color} ones of {spec.width}×{spec.height}"
        )
    ask = _tflite_probabilities if is_tflite(model) else _keras_probabilities
    probabilities = ask(path, spec, chosen.pixels, progress)
    return {
        "model": str(model),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "split": split,
        **measured(probabilities, chosen.labels, spec.labels),
    }


def write_evaluation(folder: Path, report: dict[str, Any]) -> None:
    """Write ``report.json`` and ``confusion.png``; raises OutputError."""
    from fer_train.plots import draw_confusion

    make_folder(folder)
    write_json(folder / "report.json", report)
    draw_confusion(folder / "confusion.png", report, Path(report["model"]).name)


def load_network(path: Path, spec: ModelSpec) -> keras.Model:
    """The network of a ``.keras`` file, checked against its contract.

    Raises ModelError when Keras cannot load it, ContractError when it contradicts the spec.
    """
    import keras

    import fer_train.layers  # noqa: F401  (registers the layers that a saved network may name)

    try:
        model = keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError, AttributeError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(
            f"{path}: expected a network of Keras' own layers and fer-train's, Keras cannot load it: {reason}"
        ) from error
    shapes = [tuple(tensor.shape[1:]) for tensor in (*model.inputs, *model.outputs)]
    expected = [(spec.height, spec.width, spec.channels), (len(spec.labels),)]
    if shapes != expected:
        raise ContractError(
            f"{path}: its spec names an input of {expected[0]} and {len(spec.labels)} labels, "
            f"the network's inputs and outputs are {', '.join(map(str, shapes))}; "
            "use the spec it was trained with"
        )
    return model


def _keras_file(model: Path) -> Path:
    path = model / _MODEL if model.is_dir() else model
    if not path.is_file() or path.suffix != ".keras":
        state = (
            "which is not there" if not model.exists() else f"which has no {_MODEL}" if model.is_dir() else ""
        )
        raise ModelError(
            f"expected a run folder, a .keras or a .tflite file, got {str(model)!r}"
            f"{', ' + state if state else ''}; train one with: fer-train fit"
        )
    if not path.with_name(_SPEC).is_file():
        raise ContractError(f"{path}: expected its contract in {path.with_name(_SPEC)}, found none")
    return path


def _keras_probabilities(
    path: Path, spec: ModelSpec, pixels: NDArray[np.uint8], progress: Progress
) -> NDArray[np.float32]:
    from fer_train.fit import predict

    model = load_network(path, spec)
    starts = progress(range(0, len(pixels), _BATCH))
    return np.concatenate([predict(model, pixels[start : start + _BATCH]) for start in starts])


def _tflite_probabilities(
    path: Path, spec: ModelSpec, pixels: NDArray[np.uint8], progress: Progress
) -> NDArray[np.float32]:
    from fer_edge.classifier import Classifier

    del spec  # the classifier holds it against the tensors itself
    with Classifier(path) as classifier:
        return np.stack([classifier.predict(face[..., None]) for face in progress(pixels)])
