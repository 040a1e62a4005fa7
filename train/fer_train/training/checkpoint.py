"""The state of a run in one file, replaced as a whole: killed at any moment, the last one is complete."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_edge.errors import RunError

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(path: Path, model: keras.Model, history: list[dict[str, float]]) -> None:
    """Write the weights, the optimizer's state and the history: one row for each finished epoch.

    Raises RunError when it cannot be written; the previous checkpoint then stays.
    """
    arrays = {
        f"model_{i}": np.asarray(keras.ops.convert_to_numpy(v)) for i, v in enumerate(_variables(model))
    }
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            np.savez(file, history=np.array(json.dumps(history)), **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RunError(
            f"{path}: the checkpoint cannot be written ({error.strerror or error}); "
            "the last good one is kept: free some space and go on with --resume"
        ) from error


def load_checkpoint(path: Path, model: keras.Model) -> list[dict[str, float]]:
    """Restore what :func:`save_checkpoint` wrote into a compiled model; the history of the finished epochs.

    Raises RunError for an unreadable file and for a checkpoint of another network.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = [archive[f"model_{i}"] for i in range(len(archive.files) - 1)]
            history: list[dict[str, float]] = json.loads(str(archive["history"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{path}: expected a checkpoint of fer-train, cannot read it: {error}") from error
    variables = _variables(model)
    if [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
        raise RunError(
            f"{path}: expected a checkpoint of {model.name} with {len(variables)} variables, got one of "
            "another network or recipe; resume with the options the run was started with"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return history


def _variables(model: keras.Model) -> list[Any]:
    model.optimizer.build(model.trainable_variables)
    return [*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables]
