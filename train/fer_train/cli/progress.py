"""Progress bars on standard error, for training and for other tasks."""

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
_EVERY_S_IN_A_LOG = 60.0  # outside a terminal, each update of the bar stays as a line


def show_progress(task: str, steps: Iterable[Any]) -> Iterable[Any]:
    """Yield the steps of a task, with a progress bar if standard error is a terminal.

    Implements :data:`~fer_train.models.prediction.Progress`.
    """
    return cast("Iterable[Any]", progress_bar(steps, desc=task))


class TrainingBar:
    """Progress of a training run on standard error: one bar, and one line per epoch.

    Implements :class:`~fer_train.training.progress.TrainingCallback`.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._epochs = 0
        self._batch = 1
        self._done = 0  # faces in the current epoch

    def on_start(self, plan: TrainingPlan) -> None:
        """Print the plan of the run and start the bar."""
        self._epochs, self._batch = plan.epochs, plan.batch_size
        print(
            f"{plan.arch}, recipe {plan.recipe}: {plan.samples:,} faces, {plan.epochs} epochs of "
            f"{plan.steps_per_epoch} steps, batch {plan.batch_size}, seed {plan.seed}; into "
            f"{plan.folder}" + (f"; continuing after epoch {plan.done}" if plan.done else ""),
            file=sys.stderr,
        )
        if plan.unanswered:
            print(
                f"{plan.unanswered:,} training faces have no view answers and are not trained on; "
                + (
                    f"{plan.calibration:,} of them are used to fit the temperature"
                    if plan.calibration
                    else "they are too few to fit the temperature"
                ),
                file=sys.stderr,
            )
        if plan.report_split == "Training":
            print(
                "DATA has no val or test split: the report measures the training faces and will be too optimistic; "
                "add a val or test folder to DATA",
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
        """Advance the bar by a step; raises if a signal arrived during the step."""
        raise_if_interrupted()
        del steps
        self._bar.set_postfix_str(f"loss {loss:.3f}, accuracy {100 * accuracy:.1f} %", refresh=False)
        self._bar.update(step * self._batch - self._done)
        self._done = step * self._batch

    def on_epoch(self, report: EpochReport) -> None:
        """Print the metrics of the epoch."""
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
