"""Files of teachers' answers, ``.npz``, as untrusted input: arrays and a description in JSON, ``about``."""

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

__all__ = ["check_keys", "check_labels", "is_answer_file", "read_answer_file", "write_answer_file"]

_T = TypeVar("_T")
_LARGEST: Final = 256 << 20  # bytes, unpacked: a million faces of a hundred labels are 208 MB of soft labels


def is_answer_file(path: Path) -> bool:
    """Tell by its name whether a teacher is a file of answers, not a network."""
    return path.suffix == ".npz"


def write_answer_file(path: Path, about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write a file, whose name ends in ``.npz``; raises OutputError."""
    with staged_file(path) as part:
        np.savez_compressed(part, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]


def read_answer_file(
    path: Path, kind: str, build: Callable[[dict[str, Any], dict[str, NDArray[Any]]], _T]
) -> _T:
    """Read what ``build`` makes of the description and the arrays of a file; ``kind`` names it in messages.

    Raises DataError where there is no file, it is damaged or holds something else, of which ``build`` raises ValueError
    or another error that follows from missing or wrong parts.
    """
    if not path.is_file():
        state = "it is a folder" if path.is_dir() else "nothing is there"
        raise DataError(f"{path}: expected a file of {kind}, {state}; make one: fer-train soft-labels")
    try:
        arrays = read_arrays(path, _LARGEST)
        return build(parse_json(str(arrays["about"])), arrays)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{path}: expected {kind}, as fer-train soft-labels writes them: {reason_of(error)}"
        ) from error


def check_keys(keys: NDArray[Any]) -> None:
    """Raise ValueError unless these are hashes of faces, uint64 (n > 0,)."""
    if keys.dtype != np.uint64 or keys.ndim != 1 or not len(keys):
        raise ValueError(f"its keys are {keys.dtype} {keys.shape}")


def check_labels(path: Path, kind: str, found: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Raise RunError where a file's answers are of other labels than those that a network learns."""
    if found != wanted:
        raise RunError(f"{path}: expected {kind} of {', '.join(wanted)}, they are of {', '.join(found)}")
