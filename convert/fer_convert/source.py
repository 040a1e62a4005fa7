"""What is converted: a trained network, the contract it was trained under, and its hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fer_edge.errors import ContractError, ConversionError, RunError, UsageError
from fer_edge.spec import ModelSpec, read_spec

if TYPE_CHECKING:
    import keras

__all__ = ["Source", "data_of", "find_source"]

_MODEL: Final = "model.keras"
_SPEC: Final = "spec.json"
_CONFIG: Final = "config.json"


@dataclass(frozen=True, slots=True)
class Source:
    """A trained network to convert. ``sha256`` is the ``.keras`` file's, in hexadecimal digits.

    ``data`` is the data set that the run says it was trained on, or None where it does not say.
    """

    model: Path
    spec: ModelSpec
    sha256: str
    data: Path | None = None

    def load(self) -> keras.Model:
        """The network, checked against its contract.

        Raises ConversionError when Keras cannot load it and ContractError when it contradicts the spec.
        """
        import keras

        import fer_train.layers  # noqa: F401  (registers the layers that a saved network may name)

        try:
            model = keras.saving.load_model(self.model, compile=False)
        except (ValueError, TypeError, OSError, KeyError, AttributeError, ImportError, RuntimeError) as error:
            raise ConversionError(
                f"{self.model}: expected a network of Keras' own layers and fer-train's, "
                f"Keras cannot load it: {_first_line(error)}"
            ) from error
        _check(model, self.spec, self.model)
        return model


def find_source(run: Path, spec: Path | None = None) -> Source:
    """The network of a run folder, or of a ``.keras`` file with its spec.

    Raises RunError when there is none, ContractError when its spec is malformed, UsageError when a
    ``.keras`` file comes without a spec.
    """
    if run.is_dir():
        model, beside = run / _MODEL, run / _SPEC
        if not model.is_file():
            raise RunError(
                f"{run}: expected a run folder with {_MODEL}, it has none; train one with: fer-train fit"
            )
    elif run.is_file():
        model, beside = run, run.with_name(_SPEC)
        if run.suffix != ".keras":
            raise RunError(f"{run}: expected a run folder or a .keras file; train one with: fer-train fit")
    else:
        raise RunError(
            f"{run}: expected a run folder or a .keras file, nothing is there; train one with: fer-train fit"
        )
    if spec is None and not beside.is_file():
        raise UsageError(f"{model}: expected its contract in {beside}, found none; name it with --spec")
    contract = read_spec(spec or beside)
    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Source(model, contract, digest, _data_in(model.with_name(_CONFIG)))


def data_of(source: Source, data: Path | None) -> Path:
    """The data set named, or else the one that the run names; raises UsageError when neither is."""
    found = data or source.data
    if found is None:
        raise UsageError(
            f"expected faces to calibrate and measure with, the run of {source.model} names none; "
            "name them with --data"
        )
    return found


def _data_in(config: Path) -> Path | None:
    try:
        data = json.loads(config.read_text(encoding="utf-8"))["data"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Path(data) if isinstance(data, str) else None


def _check(model: keras.Model, spec: ModelSpec, path: Path) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ContractError(
            f"{path}: expected a network with one input and one output, "
            f"got {len(model.inputs)} and {len(model.outputs)}"
        )
    taken, expected = tuple(model.inputs[0].shape[1:]), (spec.height, spec.width, spec.channels)
    if taken != expected:
        raise ContractError(f"{path}: its spec names an input of {expected}, the network takes {taken}")
    given = tuple(model.outputs[0].shape[1:])
    if given != (len(spec.labels),):
        raise ContractError(
            f"{path}: its spec names {len(spec.labels)} labels ({', '.join(spec.labels)}), "
            f"the network's output has the shape {given}; pass the spec it was trained with"
        )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
