"""The model files: those that fer-edge bundles, and any other ``.tflite`` that carries its contract.

Each bundled model is ``NAME.tflite`` in this folder; ``NAME.md`` beside it is its card.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fer_edge.errors import ModelError
from fer_edge.models.file_kind import check_tflite
from fer_edge.models.spec import ModelSpec, read_spec

__all__ = ["ACCURATE_MODEL", "BUNDLED", "DEFAULT_MODEL", "ModelFile", "bundled_models", "find_model"]

DEFAULT_MODEL: Final = "default"
"""The small one, which is used where nothing is named."""
ACCURATE_MODEL: Final = "accurate"
"""The one that is right more often, for more time a face."""
BUNDLED: Final = (DEFAULT_MODEL, ACCURATE_MODEL)
"""The models that every wheel carries."""
_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file and the contract it carries. ``sha256`` is the file's, in hexadecimal digits."""

    path: Path
    spec: ModelSpec
    sha256: str
    size: int


def bundled_models() -> tuple[str, ...]:
    """List the names of the bundled models that are installed, the default one first."""
    names = sorted(path.stem for path in _FOLDER.glob("*.tflite"))
    return tuple(sorted(names, key=lambda name: name != DEFAULT_MODEL))


def find_model(name_or_path: str | Path | None = None) -> ModelFile:
    """A bundled model by name, or a ``.tflite`` file by path; the default model where nothing is named.

    A name without a path separator and without ``.tflite`` is a bundled model's. Raises ModelError when
    there is no such file or it is of another kind, ContractError when it carries no valid contract.
    """
    wanted = str(name_or_path) if name_or_path is not None else DEFAULT_MODEL
    if wanted in bundled_models():
        path = _FOLDER / f"{wanted}.tflite"
    else:
        path = Path(wanted)
        if not path.is_file():
            raise ModelError(
                f"expected a .tflite file or a bundled model ({', '.join(bundled_models())}), "
                f"got {wanted!r}, which is {'a folder' if path.is_dir() else 'not there'}"
            )
    check_tflite(path)
    spec = read_spec(path)
    content = path.read_bytes()
    return ModelFile(path, spec, hashlib.sha256(content).hexdigest(), len(content))
