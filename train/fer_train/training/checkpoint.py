"""The state of a run in one file, replaced as a whole: killed at any moment, the last one is complete."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from fer_edge.errors import OutputError, RunError, reason_of
from fer_edge.runtime.atomic_files import staged_file
from fer_edge.runtime.json_text import parse_json
from fer_train.data.array_files import read_arrays
from fer_train.training.history import EpochReport

__all__ = ["load_checkpoint", "save_checkpoint"]

_LARGEST: Final = 8 << 30  # bytes, unpacked


def save_checkpoint(path: Path, model: keras.Model, history: Sequence[EpochReport]) -> None:
    """Write the weights, the optimizer's state and the history of the finished epochs.

    Raises RunError when it cannot be written; the previous checkpoint then stays.
    """
    arrays = {
        f"model_{i}": np.asarray(keras.ops.convert_to_numpy(v)) for i, v in enumerate(_list_variables(model))
    }
    rows = np.array(json.dumps([asdict(report) for report in history]))
    try:
        with staged_file(path, sync=True) as part:
            np.savez(part, history=rows, **arrays)  # type: ignore[arg-type]
    except OutputError as error:
        reason = getattr(error.__cause__, "strerror", None) or error
        raise RunError(
            f"{path}: the checkpoint cannot be written ({reason}); "
            "the last good one is kept: free some space and go on with --resume"
        ) from error


def load_checkpoint(path: Path, model: keras.Model) -> list[EpochReport]:
    """Restore what :func:`save_checkpoint` wrote into a compiled model; return the history.

    Raises RunError for an unreadable file and for a checkpoint of another network.
    """
    try:
        stored = read_arrays(path, _LARGEST)
        arrays = [stored[f"model_{i}"] for i in range(len(stored) - 1)]
        history = [EpochReport(**row) for row in parse_json(str(stored["history"]))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: expected a checkpoint of fer-train, cannot read it: {reason_of(error)}"
        ) from error
    variables = _list_variables(model)
    if [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
        raise RunError(
            f"{path}: expected a checkpoint of {model.name} with {len(variables)} variables, got one of "
            "another network or recipe; resume with the options the run was started with"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return history


def _list_variables(model: keras.Model) -> list[Any]:
    model.optimizer.build(model.trainable_variables)
    return [*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables]
