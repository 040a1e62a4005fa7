"""Callbacks that report the progress of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fer_train.training.history import EpochReport

__all__ = ["TrainingCallback", "TrainingPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """Plan of a training run.

    ``samples`` is the number of training faces, ``epochs`` the number of all epochs of the run, of which ``done`` are
    finished. ``report_split`` names the split that the report will evaluate. When training on views, ``unanswered``
    is the number of faces of Training without view answers. ``calibration`` is the number of faces on which a
    temperature will be fitted.
    """

    arch: str
    recipe: str
    seed: int
    folder: Path
    samples: int
    batch_size: int
    steps_per_epoch: int
    epochs: int
    done: int
    report_split: str
    unanswered: int = 0
    calibration: int = 0


class TrainingCallback(Protocol):
    """Callbacks of a training run. An exception raised by one ends the run."""

    def on_start(self, plan: TrainingPlan) -> None:
        """Called when a run starts or resumes."""

    def on_step(self, step: int, steps: int, loss: float, accuracy: float) -> None:
        """Called after each step, counted from 1.

        ``loss`` and ``accuracy`` are the means of the epoch so far.
        """

    def on_epoch(self, report: EpochReport) -> None:
        """Called after an epoch was saved to disk."""
