"""How a caller watches a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fer_train.training.history import EpochReport

__all__ = ["TrainingCallback", "TrainingPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """What is about to be trained.

    ``samples`` are the faces that are learned from, ``epochs`` all epochs of the run, of which ``done`` are
    finished. ``report_split`` names the faces that the report will be about. Of a training by views, ``unanswered`` are
    Training's faces without view answers; on ``calibration`` faces a temperature will be fitted.
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
    """Is called as a run goes on. What it raises ends the run."""

    def on_start(self, plan: TrainingPlan) -> None:
        """Training begins, or goes on."""

    def on_step(self, step: int, steps: int, loss: float, accuracy: float) -> None:
        """A step of an epoch is done, counted from 1; loss and accuracy are the epoch's means so far."""

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch is done and on disk."""
