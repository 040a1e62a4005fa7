"""The network to convert: its ``.keras`` file, model spec and data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fer_edge.errors import ContractError, ConversionError, ModelError, RunError, UsageError
from fer_edge.models.spec import ModelSpec, read_spec
from fer_edge.runtime.hashing import sha256_of_file
from fer_edge.runtime.json_text import parse_json
from fer_train.models.run_files import CONFIG_FILE, MODEL_FILE, SPEC_FILE

if TYPE_CHECKING:
    import keras

__all__ = ["TrainedModel", "find_trained_model", "resolve_data"]

_FIT_HINT: Final = "train a network with: fer-train fit"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained network in a ``.keras`` file.

    ``sha256`` is the hash of the file, in hexadecimal. ``data`` is the data set that the run was trained on, or None if
    it is unknown.
    """

    path: Path
    spec: ModelSpec
    sha256: str
    data: Path | None = None

    def load(self) -> keras.Model:
        """Load the network and check it against its spec.

        Raises ConversionError if Keras cannot load it, ContractError if it contradicts the spec.
        """
        from fer_train.models.loading import load_keras_model

        try:
            return load_keras_model(self.path, self.spec)
        except ContractError:
            raise
        except ModelError as error:
            raise ConversionError(
                f"{self.path}: Keras cannot load the network: {_summarize_error(error.__cause__ or error)}; "
                "it may be damaged, or have layers other than those of Keras and fer-train"
            ) from error


def find_trained_model(run: Path, spec: Path | None = None) -> TrainedModel:
    """Find the network of a run folder, or a ``.keras`` file with its spec.

    ``spec`` is used instead of the ``spec.json`` next to the network. Raises RunError if the network does not exist,
    ContractError if its spec is malformed, UsageError if it has no spec.
    """
    path = _find_keras_file(run)
    spec_file = path.with_name(SPEC_FILE)
    if spec is None and not spec_file.is_file():
        raise UsageError(
            f"{path}: no model spec, as {spec_file} does not exist", hint="specify it with --spec"
        )
    return TrainedModel(
        path, read_spec(spec or spec_file), sha256_of_file(path), _read_data(path.with_name(CONFIG_FILE))
    )


def resolve_data(model: TrainedModel, data: Path | None) -> Path:
    """Return ``data`` if given, otherwise the data set that the run was trained on.

    Raises UsageError if neither is known.
    """
    found = data or model.data
    if found is None:
        raise UsageError(
            f"{model.path}: the training data of this run is unknown",
            hint="specify a data set for calibration and evaluation with --data",
        )
    return found


def _find_keras_file(run: Path) -> Path:
    if run.is_dir():
        path = run / MODEL_FILE
        if not path.is_file():
            raise RunError(f"{run}: not a run folder, as it has no {MODEL_FILE}", hint=_FIT_HINT)
        return path
    if not run.exists():
        raise RunError(
            f"{run}: does not exist; specify a run folder or a .keras file", hint=f"or {_FIT_HINT}"
        )
    if not run.is_file() or run.suffix != ".keras":
        raise RunError(f"{run}: neither a run folder nor a .keras file", hint=_FIT_HINT)
    return run


def _read_data(config: Path) -> Path | None:
    try:
        data = parse_json(config.read_text(encoding="utf-8"))["data"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Path(data) if isinstance(data, str) else None


def _summarize_error(error: BaseException) -> str:
    # Keras' summary is long and unspecific; the actual reason is at the end.
    text = str(error).rpartition("Exception encountered: ")[2].strip()
    return text.splitlines()[0].split(". ")[0][:300] if text else type(error).__name__
