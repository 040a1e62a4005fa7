"""Find a bundled model by name, or a ``.tflite`` file with an embedded model spec.

Each bundled model is ``NAME.tflite`` in this folder, and ``NAME.md`` is its model card.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fer_edge.errors import ModelError
from fer_edge.models.file_kind import check_tflite
from fer_edge.models.spec import ModelSpec, read_spec

__all__ = ["ACCURATE_MODEL", "BUNDLED", "DEFAULT_MODEL", "ModelFile", "find_model", "list_bundled_models"]

DEFAULT_MODEL: Final = "default"
"""The name of the small model, which is used by default."""
ACCURATE_MODEL: Final = "accurate"
"""The name of the more accurate model, which takes more time per face."""
BUNDLED: Final = (DEFAULT_MODEL, ACCURATE_MODEL)
"""The names of the models that every wheel contains."""
_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file and its spec.

    ``sha256`` is the hash of the file in hexadecimal digits.
    """

    path: Path
    spec: ModelSpec
    sha256: str
    size: int


def list_bundled_models() -> tuple[str, ...]:
    """Return the names of the installed bundled models, the default model first."""
    names = sorted(path.stem for path in _FOLDER.glob("*.tflite"))
    return tuple(sorted(names, key=lambda name: name != DEFAULT_MODEL))


def find_model(name_or_path: str | Path | None = None) -> ModelFile:
    """Find a bundled model by name or a ``.tflite`` file by path.

    None finds the default model. The name of a bundled model takes precedence over a path. Raises ModelError if the
    file does not exist or is not a TFLite model, ContractError if it contains no valid model spec.
    """
    wanted = str(name_or_path) if name_or_path is not None else DEFAULT_MODEL
    if wanted in list_bundled_models():
        path = _FOLDER / f"{wanted}.tflite"
    else:
        path = Path(wanted)
        if not path.is_file():
            fault = (
                "is a folder"
                if path.is_dir()
                else "is not a regular file"
                if path.exists()
                else "does not exist"
            )
            raise ModelError(
                f"{wanted!r} {fault}; "
                f"use a .tflite file or a bundled model ({', '.join(list_bundled_models())})"
            )
    check_tflite(path)
    spec = read_spec(path)
    content = path.read_bytes()
    return ModelFile(path, spec, hashlib.sha256(content).hexdigest(), len(content))
