"""Loading of trained networks from run folders, ``.keras`` and ``.tflite`` files.

Keras is imported only for run folders and ``.keras`` files. A ``.tflite`` file runs in the light runtime, on any
device.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import normalize
from fer_edge.classification.probabilities import find_fault
from fer_edge.errors import ContractError, ModelError, reason_of
from fer_edge.models.find_model import find_model, list_bundled_models
from fer_edge.models.spec import ModelSpec, read_spec
from fer_edge.runtime.zip_files import check_zip
from fer_train.models.prediction import wrap_classifier
from fer_train.models.run_files import MODEL_FILE, SPEC_FILE

if TYPE_CHECKING:
    import keras

__all__ = [
    "Predictor",
    "check_probabilities",
    "find_keras_file",
    "is_bundled",
    "is_tflite",
    "load_keras_model",
    "locate_model",
    "open_predictor",
    "read_model_spec",
]


_MAX_BYTES: Final = 4 << 30  # bytes of an unpacked .keras file


class Predictor(Protocol):
    """A trained network loaded from the file ``path``."""

    path: Path
    spec: ModelSpec

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute probabilities, float32 (n, labels), for faces, uint8 (n, height, width)."""


def is_bundled(model: Path) -> bool:
    """Return whether a model is a bundled one.

    A file or folder of the same name takes precedence.
    """
    return str(model) in list_bundled_models() and not model.exists()


def locate_model(model: Path) -> str:
    """Return a model's absolute path or bundled name."""
    return str(model) if is_bundled(model) else str(model.absolute())


def is_tflite(model: Path) -> bool:
    """Return whether a model runs in the light runtime, without Keras."""
    return model.suffix == ".tflite" or is_bundled(model)


def open_predictor(model: Path, *, bfloat16: bool = False) -> Predictor:
    """Open a run folder, ``.keras`` or ``.tflite`` file, or bundled model.

    With ``bfloat16`` a Keras network computes in bfloat16. Raises ModelError if the model does not exist,
    ContractError if its model spec is missing or contradicts the network. Its predictions raise ModelError if they are
    not probabilities.
    """
    return _TFLitePredictor(model) if is_tflite(model) else _KerasPredictor(model, bfloat16)


def read_model_spec(model: Path) -> ModelSpec:
    """Read the spec of a run folder, ``.keras`` or ``.tflite`` file, or bundled model.

    Does not load the network. Raises ModelError if the model does not exist, ContractError if its model spec is
    missing or malformed.
    """
    if is_tflite(model):
        return find_model(model).spec
    return read_spec(find_keras_file(model).with_name(SPEC_FILE))


def load_keras_model(path: Path, spec: ModelSpec) -> keras.Model:
    """Load the network of a ``.keras`` file and check it against its model spec.

    Raises ModelError if Keras cannot load it, ContractError if it contradicts the spec.
    """
    import keras

    import fer_train.models.layers  # noqa: F401  (registers our layers with Keras)

    try:
        check_zip(path, _MAX_BYTES)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = reason_of(error)
        raise ModelError(
            f"{path}: Keras cannot load this network ({reason}); use one made of layers of Keras and fer-train only"
        ) from error
    shapes = [tuple(tensor.shape[1:]) for tensor in (*model.inputs, *model.outputs)]
    expected = [(spec.height, spec.width, spec.channels), (len(spec.labels),)]
    if shapes != expected:
        raise ContractError(
            f"{path}: its model spec has an input of shape {expected[0]} and {len(spec.labels)} labels, "
            f"but the network's inputs and outputs have the shapes {', '.join(map(str, shapes))}; "
            "use the model spec it was trained with"
        )
    return model


def check_probabilities(path: Path, outputs: NDArray[np.float32]) -> None:
    """Raise ModelError unless the outputs of a network, float32 (n, labels), are probabilities."""
    fault = find_fault(outputs, step=0)
    if fault is not None:
        raise ModelError(f"{path}: its outputs {fault}")


class _TFLitePredictor:
    def __init__(self, model: Path) -> None:
        classifier = Classifier(find_model(model))
        self.path, self.spec = classifier.model.path, classifier.spec
        self._predict = wrap_classifier(classifier)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._predict(pixels)


class _KerasPredictor:
    def __init__(self, model: Path, bfloat16: bool) -> None:
        self.path = find_keras_file(model)
        self.spec = read_spec(self.path.with_name(SPEC_FILE))
        self._model = load_keras_model(self.path, self.spec)
        if bfloat16:
            _compute_in_bfloat16(self._model)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Compiled, and so twice as fast as calling the model.
        outputs = np.asarray(self._model.predict_on_batch(normalize(pixels)[..., None]), np.float32)
        check_probabilities(self.path, outputs)
        return outputs


def find_keras_file(model: Path) -> Path:
    """Return the ``.keras`` file of a run folder, or the file itself.

    It must have a spec next to it. Raises ModelError if it does not exist, ContractError if its model spec is missing.
    """
    path = model / MODEL_FILE if model.is_dir() else model
    if not path.is_file() or path.suffix != ".keras":
        state = (
            "which does not exist"
            if not model.exists()
            else f"which has no {MODEL_FILE}"
            if model.is_dir()
            else ""
        )
        raise ModelError(
            f"expected a run folder, a .keras or a .tflite file, or a bundled model "
            f"({', '.join(list_bundled_models())}), got {str(model)!r}"
            f"{', ' + state if state else ''}",
            hint="train one with: fer-train fit",
        )
    if not path.with_name(SPEC_FILE).is_file():
        raise ContractError(
            f"{path}: its model spec, {path.with_name(SPEC_FILE)}, does not exist; "
            "copy it from the run folder of the network"
        )
    return path


def _compute_in_bfloat16(model: keras.Model) -> None:
    """Switch all layers but the last, the softmax, to bfloat16."""
    import keras

    for layer in model.layers[:-1]:
        layer.dtype_policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
