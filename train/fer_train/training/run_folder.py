"""The run folder: the results of a training, and the files needed to resume it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge.errors import OutputError, RunError
from fer_edge.models.spec import ModelSpec
from fer_edge.runtime.atomic_files import make_folder, staged_file, write_json
from fer_edge.runtime.hashing import sha256_of_file
from fer_edge.runtime.locks import LOCK_FILE, lock_folder
from fer_train.models.run_files import (
    CHECKPOINT_FILE,
    CONFIG_FILE,
    CURVES_FILE,
    EVENTS_FOLDER,
    HISTORY_FILE,
    MODEL_FILE,
    REPORT_FILE,
    RUN_FILES,
    SPEC_FILE,
)
from fer_train.training.history import EpochReport, write_history
from fer_train.training.tensorboard import EventFile

if TYPE_CHECKING:
    import keras

__all__ = ["RunFolder"]


class RunFolder:
    """A run folder and its files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / CHECKPOINT_FILE
        self.model = path / MODEL_FILE
        self._events = EventFile(path / EVENTS_FOLDER)

    def lock(self) -> AbstractContextManager[None]:
        """Lock the folder against other programs until the block ends; raises OutputError if one holds the lock.

        A run must hold the lock from before it reads the folder until its last file is written.
        """
        return lock_folder(self.path)

    def refuse_if_present(self) -> None:
        """Raise OutputError if the folder already exists and is not empty."""
        if self.path.is_dir() and all(path.name == LOCK_FILE for path in self.path.iterdir()):
            return
        if self.path.exists():
            raise OutputError(
                f"{self.path}: the run folder already exists; resume the run, overwrite it, or choose another folder"
            )

    def create(self, config: dict[str, Any]) -> None:
        """Create the folder and write ``config.json``.

        Removes the files of an earlier run. Raises OutputError if it cannot be written.
        """
        make_folder(self.path)
        for name in RUN_FILES:
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.path / EVENTS_FOLDER, ignore_errors=True)
        self.remove_unfinished_files()
        write_json(self.path / CONFIG_FILE, config)

    def check_resumable(self) -> None:
        """Raise RunError if epochs were finished but their checkpoint is missing."""
        if (self.path / HISTORY_FILE).exists() and not self.checkpoint.exists():
            raise RunError(
                f"{self.checkpoint}: the checkpoint of the finished epochs is missing; restore it, or start the run "
                "over",
                hint="use --overwrite instead of --resume",
            )

    def remove_unfinished_files(self) -> None:
        """Remove temporary files left by a process that was killed while writing."""
        for name in map(Path, RUN_FILES):
            for part in self.path.glob(f".{name.stem}.*.part{name.suffix}"):
                part.unlink(missing_ok=True)

    def write_history(self, history: Sequence[EpochReport]) -> None:
        """Write ``history.csv``, with one row per finished epoch."""
        write_history(self.path / HISTORY_FILE, history)

    def add_events(self, report: EpochReport) -> None:
        """Add the metrics of a finished epoch to the TensorBoard events."""
        figures = {
            "accuracy/training": report.accuracy,
            "accuracy/validation": report.val_accuracy,
            "loss/training": report.loss,
            "loss/validation": report.val_loss,
            "learning_rate": report.learning_rate,
            "images_per_s": report.images_per_s,
        }
        self._events.add(report.epoch, {tag: value for tag, value in figures.items() if value is not None})

    def close_events(self) -> None:
        """Close the event file."""
        self._events.close()

    def write_model(self, model: keras.Model) -> str:
        """Write ``model.keras``; return its SHA-256 in hexadecimal."""
        with staged_file(self.model) as part:
            model.save(part)
        return sha256_of_file(self.model)

    def write_results(self, spec: ModelSpec, report: dict[str, Any], history: Sequence[EpochReport]) -> None:
        """Write ``spec.json``, ``report.json`` and the plots."""
        from fer_train.evaluation.evaluate import draw_report
        from fer_train.evaluation.plots import draw_curves

        with staged_file(self.path / SPEC_FILE) as part:
            part.write_text(spec.to_json(), encoding="utf-8")
        write_json(self.path / REPORT_FILE, report)
        validation = None if history[-1].val_loss is None else report["split"]
        draw_curves(self.path / CURVES_FILE, history, f"{spec.name}: training", validation)
        draw_report(self.path, report, spec.name)
