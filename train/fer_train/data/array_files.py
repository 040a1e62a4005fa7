"""Reading of NumPy array archives (``.npz``) as untrusted input."""

from __future__ import annotations

import tokenize
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import reason_of
from fer_edge.runtime.zip_files import ZIP_DAMAGE, check_zip

__all__ = ["read_arrays"]

# NumPy also raises these for damaged or forged array headers.
_DAMAGE: Final = (*ZIP_DAMAGE, TypeError, AttributeError, SyntaxError, MemoryError, tokenize.TokenError)


def read_arrays(path: Path, most_bytes: int) -> dict[str, NDArray[Any]]:
    """Read all arrays of a file, by name; rejects pickled objects.

    Raises OSError if the file cannot be read, ValueError if it is damaged or unpacks to more than ``most_bytes``.
    """
    try:
        check_zip(path, most_bytes)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _DAMAGE as error:
        raise ValueError(reason_of(error)) from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("it contains files that are not arrays")
    return arrays
