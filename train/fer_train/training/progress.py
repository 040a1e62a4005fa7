"""A training run as a person watches it: one bar for all its epochs, and a line for each."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tqdm import tqdm

from fer_edge.runtime.shutdown import raise_if_interrupted

if TYPE_CHECKING:
    from fer_train.training.run import TrainingRun
    from fer_train.training.trainer import EpochReport

__all__ = ["ProgressBar"]

_EVERY_S = 0.5
_EVERY_S_IN_A_LOG = 60.0  # where standard error is no terminal, each state of the bar stays


class ProgressBar:
    """Watches a run (an Observer of :mod:`fer_train.training.run`) on standard error."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._epochs = 0
        self._batch = 1
        self._done = 0  # faces, of this epoch

    def on_start(self, run: TrainingRun) -> None:
        """Show what is trained, on what, and how much of it is left."""
        trainer, recipe = run.trainer, run.recipe
        done = len(trainer.history)
        self._epochs, self._batch = recipe.epochs, trainer.batch_size
        print(
            f"{run.options.arch}, recipe {recipe.name}: {trainer.samples:,} faces, {recipe.epochs} epochs of "
            f"{trainer.steps_per_epoch} steps, batch {trainer.batch_size}, seed {run.options.seed}; into "
            f"{run.folder.path}" + (f"; going on after epoch {done}" if done else ""),
            file=sys.stderr,
        )
        if run.report_split == "Training":
            print(
                "There are no other faces than those trained on: the report will flatter; give DATA a val or "
                "test folder",
                file=sys.stderr,
            )
        faces = trainer.steps_per_epoch * self._batch
        self._bar = tqdm(
            total=faces * recipe.epochs,
            initial=faces * done,
            unit=" images",
            unit_scale=True,
            mininterval=_EVERY_S if sys.stderr.isatty() else _EVERY_S_IN_A_LOG,
            dynamic_ncols=True,
            file=sys.stderr,
            desc=f"epoch {done + 1}/{recipe.epochs}",
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
