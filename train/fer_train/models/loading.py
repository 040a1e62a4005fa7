"""Trained networks in files of any kind: faces in, probabilities out.

Keras is imported for run folders and ``.keras`` files only; a ``.tflite`` file runs in the
runtime, on any device.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import normalize
from fer_edge.errors import ContractError, ModelError, reason_of
from fer_edge.models.find_model import bundled_models, find_model
from fer_edge.models.spec import ModelSpec, read_spec
from fer_edge.runtime.zip_files import check_zip
from fer_train.models.prediction import wrap_classifier
from fer_train.models.run_files import MODEL_FILE, SPEC_FILE

if TYPE_CHECKING:
    import keras

__all__ = ["Predictor", "is_bundled", "is_tflite", "load_keras_model", "locate_model", "open_predictor"]


_LARGEST: Final = 4 << 30  # bytes of a .keras file, unpacked


class Predictor(Protocol):
    """A trained network in a file. ``path`` is that of the file itself."""

    path: Path
    spec: ModelSpec

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute probabilities, float32 (n, labels), of uint8 (n, height, width) faces."""


def is_bundled(model: Path) -> bool:
    """Tell whether a model is named as one that fer-edge bundles; a file or folder of that name goes before."""
    return str(model) in bundled_models() and not model.exists()


def locate_model(model: Path) -> str:
    """Return a model's absolute path, or the name of a bundled one: what finds it again from anywhere."""
    return str(model) if is_bundled(model) else str(model.absolute())


def is_tflite(model: Path) -> bool:
    """Tell whether a model runs in the runtime, without Keras."""
    return model.suffix == ".tflite" or is_bundled(model)


def open_predictor(model: Path, *, bfloat16: bool = False) -> Predictor:
    """Open the network of a run folder, ``.keras`` or ``.tflite`` file, or a bundled one.

    ``bfloat16`` computes in bfloat16, where Keras does.
    Raises ModelError when there is none, ContractError when its contract is missing or contradicts it.
    """
    return _TFLitePredictor(model) if is_tflite(model) else _KerasPredictor(model, bfloat16)


def load_keras_model(path: Path, spec: ModelSpec) -> keras.Model:
    """Load the network of a ``.keras`` file, checked against its contract.

    Raises ModelError when Keras cannot load it, ContractError when it contradicts the spec.
    """
    import keras

    import fer_train.models.layers  # noqa: F401  (registers the layers that a saved network may name)

    try:
        check_zip(path, _LARGEST)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = reason_of(error)
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


class _TFLitePredictor:
    def __init__(self, model: Path) -> None:
        classifier = Classifier(find_model(model))
        self.path, self.spec = classifier.model.path, classifier.spec
        self._predict = wrap_classifier(classifier)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._predict(pixels)


class _KerasPredictor:
    def __init__(self, model: Path, bfloat16: bool) -> None:
        self.path = _find_keras_file(model)
        self.spec = read_spec(self.path.with_name(SPEC_FILE))
        self._model = load_keras_model(self.path, self.spec)
        if bfloat16:
            _compute_in_bfloat16(self._model)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Compiled: half the time of calling the model.
        return np.asarray(self._model.predict_on_batch(normalize(pixels)[..., None]), np.float32)


def _find_keras_file(model: Path) -> Path:
    path = model / MODEL_FILE if model.is_dir() else model
    if not path.is_file() or path.suffix != ".keras":
        state = (
            "which is not there"
            if not model.exists()
            else f"which has no {MODEL_FILE}"
            if model.is_dir()
            else ""
        )
        raise ModelError(
            f"expected a run folder, a .keras or a .tflite file, or a bundled model "
            f"({', '.join(bundled_models())}), got {str(model)!r}"
            f"{', ' + state if state else ''}; train one with: fer-train fit"
        )
    if not path.with_name(SPEC_FILE).is_file():
        raise ContractError(f"{path}: expected its contract in {path.with_name(SPEC_FILE)}, found none")
    return path


def _compute_in_bfloat16(model: keras.Model) -> None:
    """The last layer, the softmax, stays in float32."""
    import keras

    for layer in model.layers[:-1]:
        layer.dtype_policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
