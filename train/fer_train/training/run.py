"""A training run: data, epochs, run folder, and interruptions."""

from __future__ import annotations

import logging
import time
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge._version import __version__
from fer_edge.errors import RunError, UsageError
from fer_edge.models.spec import FER2013_LABELS, Crop, ModelSpec
from fer_edge.runtime.shutdown import Terminated
from fer_train.data.checks import find_data_problems, find_prediction_problems, is_user_data
from fer_train.data.crops import FER2013_CROP, choose_interpolation
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.data.held_out import hold_out
from fer_train.evaluation.metrics import compute_metrics
from fer_train.evaluation.temperature_scaling import scale_model
from fer_train.models.prediction import predict
from fer_train.models.registry import ARCHITECTURES
from fer_train.training.progress import TrainingCallback, TrainingPlan
from fer_train.training.recipes import Recipe
from fer_train.training.run_config import (
    RunConfig,
    build_config,
    check_resume_compatible,
    load_recipe,
    read_config,
)
from fer_train.training.run_folder import RunFolder
from fer_train.training.run_inputs import check_teachers, prepare_inputs
from fer_train.training.starting_point import StartingPoint, read_starting_point
from fer_train.training.trainer import Trainer

__all__ = ["TrainingRun", "compute_class_weights", "resume_run", "start_run"]

_LOG: Final = logging.getLogger(__name__)
_FER2013_FACES: Final = 28_709  # in Training


class TrainingRun:
    """A run folder, its data and its trainer.

    ``report_split`` names the faces that the final report evaluates: the fold of Training if one was requested,
    otherwise PublicTest, otherwise PrivateTest, otherwise the training faces. ``report`` is this report, None until
    it is computed. ``digest`` is the hash of the data set, ``file_digests`` contains the hashes of other files that
    the objectives learn from. ``problems`` lists warnings about problems with the user's own data.
    """

    def __init__(
        self,
        folder: RunFolder,
        data: Path,
        config: RunConfig,
        recipe: Recipe,
        faces: FaceDataset,
        start: StartingPoint | None = None,
    ) -> None:
        self.folder, self.config, self.recipe = folder, config, recipe
        self.report: dict[str, Any] | None = None
        self.digest = faces.digest()
        if config.val_share is not None:
            faces = hold_out(faces, config.val_share, str(data))
        self.problems = find_data_problems(faces, str(data)) if is_user_data(faces) else []
        inputs = prepare_inputs(config, recipe, faces)
        splits, objectives = inputs.splits, inputs.objectives
        self.report_split, self._reported = splits.report_split, splits.reported
        self._calibration = splits.calibration
        self._unanswered = inputs.unanswered
        self.file_digests = [*chain.from_iterable(objective.file_digests for objective in objectives)]
        self._provenance = _describe_origin(data, faces, config, self.digest)
        if start is not None:
            self._provenance |= start.provenance
        for objective in objectives:
            self._provenance |= objective.provenance
        self.trainer = Trainer(
            ARCHITECTURES.load(config.arch),
            recipe,
            objectives,
            splits.training,
            splits.validation,
            folder.path,
            class_weights=compute_class_weights(splits.training)
            if config.class_weights == "balanced"
            else None,
            pixel_std=None if start is None else start.pixel_std,
            view_answers=inputs.view_answers,
            shown=splits.shown,
            seed=config.seed,
        )

    @property
    def is_complete(self) -> bool:
        """Whether the run has finished all epochs, or ended early without improvement."""
        return self.trainer.is_complete

    @property
    def plan(self) -> TrainingPlan:
        """The plan of the run from its current state."""
        return TrainingPlan(
            arch=self.config.arch,
            recipe=self.recipe.name,
            seed=self.config.seed,
            folder=self.folder.path,
            samples=self.trainer.samples,
            batch_size=self.trainer.batch_size,
            steps_per_epoch=self.trainer.steps_per_epoch,
            epochs=self.recipe.epochs,
            done=len(self.trainer.history),
            report_split=self.report_split,
            unanswered=self._unanswered,
            calibration=0 if self._calibration is None else len(self._calibration),
        )

    def train(self, callback: TrainingCallback, *, stop_after_s: float | None = None) -> None:
        """Train the remaining epochs, then write the results of the run.

        With ``stop_after_s``, no epoch is started that would end later than that many seconds from now if it took as
        long as the last one; at least one epoch is trained. After an interruption or a RunError, the results of the
        last finished epoch are written and the exception is raised again.
        """
        started = epoch_started = time.monotonic()
        callback.on_start(self.plan)
        try:
            for report in self.trainer.train_epochs(callback.on_step):
                # Write the history last: finish() rewrites it, but not the events.
                self.folder.add_events(report)
                self.folder.write_history(self.trainer.history)
                callback.on_epoch(report)
                now = time.monotonic()
                if stop_after_s is not None and now - started + (now - epoch_started) > stop_after_s:
                    break
                epoch_started = now
        except (KeyboardInterrupt, Terminated, RunError):
            if self.trainer.history:
                self.trainer.resume()  # the network's state is from within an epoch
                self.finish()
            raise
        finally:
            self.folder.close_events()
        self.finish()

    def finish(self) -> None:
        """Write the network as of the last finished epoch, and its metrics."""
        history = self.trainer.history
        model = self.trainer.build_trained_model()
        temperature = None if self._calibration is None else scale_model(model, self._calibration)
        digest = self.folder.write_model(model)
        reported = self._reported
        metrics = compute_metrics(predict(model, reported.pixels), reported.labels, reported.label_names)
        for problem in find_prediction_problems(
            np.array(metrics["confusion"]["counts"]), reported.label_names
        ):
            _LOG.warning("%s", problem, extra={"hint": problem.hint})
        self.report = {
            "model": str(self.folder.model),
            "sha256": digest,
            "split": self.report_split,
            **metrics,
        }
        brief = {name: metrics[name] for name in ("accuracy", "mean_class_accuracy", "samples")}
        mode = self.recipe.crop_mode
        spec = ModelSpec(
            name=self.config.arch,
            labels=reported.label_names,
            interpolation=choose_interpolation(mode),
            crop=FER2013_CROP if mode == "whole" else Crop(),
            accuracy={self.report_split: brief},
            provenance={**self._provenance, "framing": mode, "epochs": len(history)}
            | ({} if self.trainer.best_epoch is None else {"best_epoch": self.trainer.best_epoch})
            | ({} if temperature is None else {"temperature": round(temperature, 4)}),
        )
        self.folder.write_history(history)
        self.folder.write_results(spec, self.report, history)


def start_run(
    folder: RunFolder,
    data: Path,
    config: RunConfig,
    recipe: Recipe,
    *,
    overwrite: bool,
    skip_unreadable: bool = False,
) -> TrainingRun:
    """Start a run; creates its folder after the data has been read.

    Raises OutputError if the folder already exists and ``overwrite`` is False, DataError for invalid data, ModelError
    if the model to start from cannot be used.
    """
    if not overwrite:
        folder.refuse_if_present()
    check_teachers(config, recipe)
    faces = _load(data, config, skip_unreadable)
    start = None if config.initial is None else read_starting_point(config.initial)
    run = TrainingRun(folder, data, config, recipe, faces, start)
    for problem in run.problems:
        _LOG.warning("%s", problem, extra={"hint": problem.hint})
    if start is not None:
        run.trainer.begin_with(start.load(), start.name)
    stored = build_config(config, recipe, data.absolute(), run.digest)
    folder.create(
        stored
        | {"teachers_sha256": run.file_digests}
        | ({} if start is None else {"initial": start.as_dict()})
    )
    return run


def resume_run(
    folder: RunFolder, data: Path, asked: dict[str, Any], *, skip_unreadable: bool = False
) -> TrainingRun:
    """Resume a run after its last finished epoch, with its stored options.

    ``asked`` contains options that were given again. Raises RunError if the run does not exist or its checkpoint is
    missing, UsageError if an option or the data contradicts it.
    """
    stored = read_config(folder.path)
    folder.check_resumable()
    config = RunConfig(**stored["options"])
    faces = _load(data, config, skip_unreadable)
    check_resume_compatible(stored, asked, faces.digest())
    start = StartingPoint.from_dict(stored["initial"]) if "initial" in stored else None
    run = TrainingRun(folder, data, config, load_recipe(stored["recipe"]), faces, start)
    # Runs of earlier versions do not store these hashes.
    if stored.get("teachers_sha256", run.file_digests) != run.file_digests:
        raise UsageError(
            f"the teachers' files have changed since the run was started ({', '.join(config.teachers)}); "
            "restore them, or start the run over"
        )
    folder.remove_unfinished_files()
    if folder.checkpoint.exists():  # otherwise the run was killed in its first epoch
        run.trainer.resume()
    elif start is not None:
        run.trainer.begin_with(start.load(), start.name)
    return run


def _load(data: Path, config: RunConfig, skip_unreadable: bool) -> FaceDataset:
    return load_faces(data, skip_unreadable=skip_unreadable, explain_splits=config.val_share is None)


def compute_class_weights(faces: FaceDataset) -> NDArray[np.float32]:
    """Compute class weights, float32 (labels,), that balance the labels.

    The faces of each label have the same total weight. The mean weight of a face is 1.
    """
    counts = np.bincount(faces.labels, minlength=len(faces.label_names))
    weights = np.divide(
        len(faces) / np.count_nonzero(counts), counts, where=counts > 0, out=np.zeros(len(counts))
    )
    return weights.astype(np.float32)


def _describe_origin(data: Path, faces: FaceDataset, config: RunConfig, digest: str) -> dict[str, Any]:
    """Return the provenance of the weights: data, options, license."""
    is_fer2013 = faces.label_names == FER2013_LABELS and (data.is_file() or len(faces) >= _FER2013_FACES)
    stated = {
        "data": data.name,
        "data_sha256": digest,
        "limit": config.limit,
        "fold": config.fold,
        "labels": config.labels,
        "votes": None if config.votes is None else Path(config.votes).name,
        "class_weights": config.class_weights,
        "recipe": config.recipe,
        "mixup": config.mixup or None,
        "seed": config.seed,
        "val_share": config.val_share,
        "objectives": ", ".join(config.objectives) or None,
        "licence": "weights learned from research-only data (FER-2013)"
        if is_fer2013
        else "same as the training data",
        "trainer": f"fer-train {__version__}, Keras {version('keras')} on {keras.backend.backend()}",
    }
    return {name: value for name, value in stated.items() if value not in (None, "none")}
