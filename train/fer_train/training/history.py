"""The history of a run: the metrics of each epoch, stored in ``history.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fer_edge.errors import RunError, reason_of
from fer_edge.runtime.atomic_files import staged_file
from fer_train.optional_packages import import_pandas

__all__ = ["EpochReport", "read_history", "write_history"]


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Metrics of an epoch, counted from 1.

    ``loss`` and ``val_loss`` are cross-entropies of the emotion in nats. Label smoothing and auxiliary targets are
    left out so that the two can be compared; the training loss is over augmented images. ``val_loss`` and
    ``val_accuracy`` are None without validation faces. ``seconds`` covers training without validation;
    ``images_per_s`` excludes the first step, which compiles the network.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    images_per_s: float
    seconds: float


def write_history(path: Path, history: Sequence[EpochReport]) -> None:
    """Write a CSV file with one row per epoch.

    Numbers are rounded to 6 decimal places; None becomes an empty cell. Raises OutputError if the file cannot be
    written, MissingExtraError if pandas is not installed.
    """
    pandas = import_pandas()
    table = pandas.DataFrame([asdict(report) for report in history]).astype({"epoch": int}).round(6)
    with staged_file(path) as part:
        table.to_csv(part, index=False, lineterminator="\r\n", encoding="utf-8")


def read_history(path: Path) -> list[EpochReport]:
    """Read a file that :func:`write_history` wrote.

    Raises RunError for any other file, MissingExtraError if pandas is not installed.
    """
    pandas = import_pandas()
    try:
        table = pandas.read_csv(path).astype(object)
        rows = table.where(table.notna(), None).to_dict("records")
        return [EpochReport(**{**row, "epoch": int(row["epoch"])}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: cannot read this history of a fer-train run: {reason_of(error)}") from error
