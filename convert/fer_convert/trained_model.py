"""What is converted: a trained network, the contract it was trained under, and its hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fer_edge.errors import ContractError, ConversionError, ModelError, RunError, UsageError
from fer_edge.models.spec import ModelSpec, read_spec

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
        from fer_train.models.loading import load_keras_model

        try:
            return load_keras_model(self.model, self.spec)
        except ContractError:
            raise
        except ModelError as error:
            raise ConversionError(
                f"{self.model}: expected a network of Keras' own layers and fer-train's, "
                f"Keras cannot load it: {_reason(error.__cause__ or error)}"
            ) from error


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


def _reason(error: BaseException) -> str:
    # Keras' own summary is long and says nothing; what happened stands at its end.
    text = str(error).rpartition("Exception encountered: ")[2].strip()
    return text.splitlines()[0].split(". ")[0][:300] if text else type(error).__name__
