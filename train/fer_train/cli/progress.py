"""Progress on standard error: one bar for all epochs of a training and a line for each, or a bar for other tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, cast

from tqdm import tqdm

from fer_edge.cli.progress import progress_bar
from fer_edge.runtime.shutdown import raise_if_interrupted
from fer_train.training.history import EpochReport
from fer_train.training.progress import TrainingPlan

__all__ = ["TrainingBar", "show_progress"]

_EVERY_S = 0.5
_EVERY_S_IN_A_LOG = 60.0  # where standard error is no terminal, each state of the bar stays


def show_progress(task: str, steps: Iterable[Any]) -> Iterable[Any]:
    """Count the steps of a task by a bar, where standard error is a terminal.

    A :data:`~fer_train.models.prediction.Progress`.
    """
    return cast("Iterable[Any]", progress_bar(steps, desc=task))


class TrainingBar:
    """Shows a training on standard error: a :class:`~fer_train.training.progress.TrainingCallback`."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._epochs = 0
        self._batch = 1
        self._done = 0  # faces, of this epoch

    def on_start(self, plan: TrainingPlan) -> None:
        """Show what is trained, on what, and how much of it is left."""
        self._epochs, self._batch = plan.epochs, plan.batch_size
        print(
            f"{plan.arch}, recipe {plan.recipe}: {plan.samples:,} faces, {plan.epochs} epochs of "
            f"{plan.steps_per_epoch} steps, batch {plan.batch_size}, seed {plan.seed}; into "
            f"{plan.folder}" + (f"; going on after epoch {plan.done}" if plan.done else ""),
            file=sys.stderr,
        )
        if plan.unanswered:
            print(
                f"{plan.unanswered:,} faces of Training have no view answers and are left out; the temperature is "
                f"fitted on {f'{plan.calibration:,} of them' if plan.calibration else 'none of them: too few'}",
                file=sys.stderr,
            )
        if plan.report_split == "Training":
            print(
                "There are no other faces than those trained on: the report will flatter; give DATA a val or "
                "test folder",
                file=sys.stderr,
            )
        faces = plan.steps_per_epoch * plan.batch_size
        self._bar = tqdm(
            total=faces * plan.epochs,
            initial=faces * plan.done,
            unit=" images",
            unit_scale=True,
            mininterval=_EVERY_S if sys.stderr.isatty() else _EVERY_S_IN_A_LOG,
            dynamic_ncols=True,
            file=sys.stderr,
            desc=f"epoch {plan.done + 1}/{plan.epochs}",
            bar_format="{desc} {percentage:3.0f}% |{bar}| {remaining} left, {rate_fmt}{postfix}",
        )

    def on_step(self, step: int, steps: int, loss: float, accuracy: float) -> None:
        """Advance by a step; raises the exception of a signal that was lost in the one before."""
        raise_if_interrupted()
        del steps
        self._bar.set_postfix_str(f"loss {loss:.3f}, accuracy {100 * accuracy:.1f} %", refresh=False)
        self._bar.update(step * self._batch - self._done)
        self._done = step * self._batch

    def on_epoch(self, report: EpochReport) -> None:
        """Print what the epoch gave."""
        validation = (
            ""
            if report.val_loss is None or report.val_accuracy is None
            else f"; validation loss {report.val_loss:.3f}, accuracy {100 * report.val_accuracy:.1f} %"
        )
        self._bar.write(
            f"epoch {report.epoch}/{self._epochs}: loss {report.loss:.3f}, "
            f"accuracy {100 * report.accuracy:.1f} %{validation}; {report.images_per_s:.0f} images/s",
            file=sys.stderr,
        )
        self._bar.set_description_str(
            f"epoch {min(report.epoch + 1, self._epochs)}/{self._epochs}", refresh=False
        )
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
