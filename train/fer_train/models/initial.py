"""The trained network that a training starts from.

All of its layers but the last one are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fer_edge.errors import ModelError
from fer_edge.models.find_model import DEFAULT_MODEL, find_model
from fer_edge.models.spec import ModelSpec, read_spec
from fer_edge.runtime.hashing import sha256_of_file
from fer_train.models.loading import find_keras_file, is_tflite, load_keras_model
from fer_train.models.recovery import recover_network
from fer_train.models.registry import ARCHITECTURES
from fer_train.models.run_files import SPEC_FILE

if TYPE_CHECKING:
    import keras

__all__ = ["InitialModel", "copy_body", "find_initial_model", "load_initial_network"]

_INPUT: Final = (48, 48, "gray")
_HEAD: Final = "logits"


@dataclass(frozen=True, slots=True)
class InitialModel:
    """A trained network to start from: its file and its model spec.

    ``sha256`` is the hash of the file, in hexadecimal.
    """

    path: Path
    spec: ModelSpec
    sha256: str


def find_initial_model(model: Path) -> InitialModel:
    """Find the model to start from.

    It is a run folder, a ``.keras`` or ``.tflite`` file or a bundled model's name. Raises ModelError if it does not
    exist, or if fer-train cannot build it because its input or architecture is different.
    """
    if is_tflite(model):
        file = find_model(model)
        found = InitialModel(file.path, file.spec, file.sha256)
    else:
        path = find_keras_file(model)
        found = InitialModel(path, read_spec(path.with_name(SPEC_FILE)), sha256_of_file(path))
    spec = found.spec
    if (spec.width, spec.height, spec.color) != _INPUT:
        raise ModelError(
            f"{model}: its input is {spec.width}×{spec.height} pixels in {spec.color}, but fer-train trains on "
            f"48×48 pixels in gray; start from {DEFAULT_MODEL} or from a run of fer-train"
        )
    if spec.name not in ARCHITECTURES.names:
        raise ModelError(
            f"{model}: fer-train cannot build its architecture, {spec.name!r}, only "
            f"{', '.join(ARCHITECTURES.names)}; start from {DEFAULT_MODEL} or from a run of fer-train"
        )
    return found


def load_initial_network(initial: InitialModel) -> keras.Model:
    """Load the network, with float32 weights even from a ``.tflite`` file.

    Raises ModelError or ContractError if it cannot be loaded.
    """
    if initial.path.suffix == ".tflite":
        return recover_network(find_model(initial.path), ARCHITECTURES.load(initial.spec.name))
    return load_keras_model(initial.path, initial.spec)


def copy_body(source: keras.Model, target: keras.Model, name: str) -> None:
    """Copy the weights of every layer but the last dense one.

    Both networks have the same architecture, but may have different labels. ``name`` names the source in messages.
    Raises ModelError if their layers differ.
    """
    for layer in target.layers:
        if layer.name == _HEAD or not layer.weights:
            continue
        try:
            layer.set_weights(source.get_layer(layer.name).get_weights())
        except ValueError as error:
            raise ModelError(
                f"{name}: its layer {layer.name} differs from that of {target.name}; "
                "start from a run of this version of fer-train"
            ) from error
