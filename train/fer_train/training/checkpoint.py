"""Checkpoints: the state of a run in one file, replaced atomically."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import OutputError, RunError, reason_of
from fer_edge.runtime.atomic_files import staged_file
from fer_edge.runtime.json_text import parse_json
from fer_train.data.array_files import read_arrays
from fer_train.training.history import EpochReport

__all__ = ["load_checkpoint", "save_checkpoint"]

_MAX_BYTES: Final = 8 << 30  # bytes when unpacked


def save_checkpoint(
    path: Path,
    model: keras.Model,
    history: Sequence[EpochReport],
    best: Sequence[NDArray[np.float32]] = (),
) -> None:
    """Write the weights, the optimizer's state and the history of the finished epochs.

    ``best`` contains the weights of the best epoch so far, in the model's order, or nothing if these are not tracked.
    Raises RunError if the file cannot be written; the previous checkpoint is then left in place.
    """
    arrays = {
        f"model_{i}": np.asarray(keras.ops.convert_to_numpy(v)) for i, v in enumerate(_list_variables(model))
    }
    kept = {f"best_{i}": weights for i, weights in enumerate(best)}
    rows = np.array(json.dumps([asdict(report) for report in history]))
    try:
        with staged_file(path, sync=True) as part:
            np.savez(part, history=rows, **arrays, **kept)  # type: ignore[arg-type]
    except OutputError as error:
        reason = getattr(error.__cause__, "strerror", None) or error
        raise RunError(
            f"{path}: cannot write the checkpoint ({reason}); "
            "free some space, then resume the run from the previous checkpoint"
        ) from error


def load_checkpoint(path: Path, model: keras.Model) -> tuple[list[EpochReport], list[NDArray[np.float32]]]:
    """Restore a checkpoint; return the history and the best weights.

    The model must be compiled. Raises RunError if the file cannot be read or belongs to a different network.
    """
    try:
        stored = read_arrays(path, _MAX_BYTES)
        best = [stored[f"best_{i}"] for i in range(sum(name.startswith("best_") for name in stored))]
        arrays = [stored[f"model_{i}"] for i in range(len(stored) - 1 - len(best))]
        history = [EpochReport(**row) for row in parse_json(str(stored["history"]))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: cannot read this checkpoint ({reason_of(error)}); start the run over"
        ) from error
    variables = _list_variables(model)
    shapes, weights = ([tuple(v.shape) for v in some] for some in (variables, model.weights))
    if shapes != [a.shape for a in arrays] or [a.shape for a in best] not in ([], weights):
        raise RunError(
            f"{path}: this checkpoint belongs to another network or recipe than {model.name} with "
            f"{len(variables)} variables; resume with the options the run was started with"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return history, best


def _list_variables(model: keras.Model) -> list[Any]:
    model.optimizer.build(model.trainable_variables)
    return [*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables]
