"""Files of teacher predictions (``.npz``): arrays and a description in JSON.

The description is the array ``about``. The files are treated as untrusted input.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError, RunError, reason_of
from fer_edge.runtime.atomic_files import staged_file
from fer_edge.runtime.json_text import parse_json
from fer_train.data.array_files import read_arrays

__all__ = [
    "check_keys",
    "check_labels",
    "check_size",
    "is_answer_file",
    "read_answer_file",
    "write_answer_file",
]

_T = TypeVar("_T")
_MAX_BYTES: Final = (
    256 << 20
)  # bytes when unpacked; soft labels of a million faces and a hundred labels are 208 MB
_BESIDE: Final = 1 << 20  # bytes for the description and the headers of the arrays


def is_answer_file(path: Path) -> bool:
    """Return whether a teacher's name is that of a file of predictions."""
    return path.suffix == ".npz"


def write_answer_file(path: Path, about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write a file whose name ends in ``.npz``; raises OutputError."""
    with staged_file(path) as part:
        np.savez_compressed(part, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]


def check_size(size: int, remedy: str) -> None:
    """Raise DataError if arrays of ``size`` bytes are more than :func:`read_answer_file` reads."""
    most = _MAX_BYTES - _BESIDE
    if size > most:
        raise DataError(
            f"the file would contain {size:,} bytes, but at most {most:,} can be read again; {remedy}"
        )


def read_answer_file(
    path: Path, kind: str, build: Callable[[dict[str, Any], dict[str, NDArray[Any]]], _T]
) -> _T:
    """Read a file and pass its description and arrays to ``build``; return the result.

    ``kind`` names the content in messages. Raises DataError if the file does not exist, is damaged or has other
    content. ``build`` reports the latter with a ValueError or an error caused by missing or wrong parts.
    """
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"{path}: this file of {kind} {state}", hint="create one with: fer-train soft-labels")
    try:
        arrays = read_arrays(path, _MAX_BYTES)
        return build(parse_json(str(arrays["about"])), arrays)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{path}: cannot read {kind} from this file: {reason_of(error)}",
            hint="create a new one with: fer-train soft-labels",
        ) from error


def check_keys(keys: NDArray[Any]) -> None:
    """Raise ValueError unless the keys are hashes of faces, uint64 (n > 0,)."""
    if keys.dtype != np.uint64 or keys.ndim != 1 or not len(keys):
        raise ValueError(f"its keys are {keys.dtype} {keys.shape}")


def check_labels(path: Path, kind: str, found: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Raise RunError if a file has other labels than the network that learns from it."""
    if found != wanted:
        raise RunError(
            f"{path}: expected {kind} for {', '.join(wanted)}, got {reason_of(', '.join(found))}; "
            "create the file from the same data"
        )
