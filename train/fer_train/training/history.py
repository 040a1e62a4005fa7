"""The history of a run: what each epoch gave, and its table ``history.csv``."""

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
    """The figures of an epoch, which is counted from 1.

    ``loss`` and ``val_loss`` are cross-entropies of the emotion in nats, without label smoothing and
    auxiliary targets, so that they can be compared; training's is over augmented images.
    ``val_loss`` and ``val_accuracy`` are None without validation faces. ``seconds`` is the training
    alone, ``images_per_s`` its speed without the first step, which compiles.
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
    """Write a CSV row for each epoch, its numbers rounded to 6 places; what is None stays empty.

    Raises OutputError where the file cannot be written, MissingExtraError without pandas.
    """
    pandas = import_pandas()
    table = pandas.DataFrame([asdict(report) for report in history]).astype({"epoch": int}).round(6)
    with staged_file(path) as part:
        table.to_csv(part, index=False, lineterminator="\r\n", encoding="utf-8")


def read_history(path: Path) -> list[EpochReport]:
    """Read what :func:`write_history` wrote; raises RunError for anything else, MissingExtraError without pandas."""
    pandas = import_pandas()
    try:
        table = pandas.read_csv(path).astype(object)
        rows = table.where(table.notna(), None).to_dict("records")
        return [EpochReport(**{**row, "epoch": int(row["epoch"])}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: expected a history of fer-train, cannot read it: {reason_of(error)}"
        ) from error
