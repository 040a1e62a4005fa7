"""A training run from end to end: data, epochs, run folder, and what an interruption leaves."""

from __future__ import annotations

import hashlib
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge._version import __version__
from fer_edge.errors import RunError, UsageError
from fer_edge.models.spec import FER2013_LABELS, Crop, ModelSpec
from fer_edge.runtime.shutdown import Terminated
from fer_train.data.crops import interpolation
from fer_train.data.dataset import Faces, load_faces, votes_for
from fer_train.data.splits import parted
from fer_train.evaluation.metrics import measured
from fer_train.models.loading import Network
from fer_train.models.registry import architecture
from fer_train.objectives.soft_labels import SoftLabels, is_soft_labels, read_soft_labels
from fer_train.objectives.teachers import open_teacher
from fer_train.training.recipes import Recipe
from fer_train.training.run_folder import Options, RunFolder, described, require_same, stored_recipe
from fer_train.training.trainer import EpochReport, Trainer, predict

__all__ = ["Observer", "TrainingRun", "class_weights", "new_run", "resumed_run"]

_FER2013_FACES: Final = 28_709  # in Training
# How a detector's box becomes what a network sees that was trained on FER-2013's loose framing: by
# experiments/framing.py, through the whole runtime.
_CROP: Final = Crop(margin=0.0, square=True, shift_y=0.05)


class Observer(Protocol):
    """Is told how a run goes."""

    def on_start(self, run: TrainingRun) -> None:
        """Training begins, or goes on."""

    def on_step(self, step: int, steps: int, loss: float, accuracy: float) -> None:
        """A step of an epoch is done; loss and accuracy are the epoch's means so far."""

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch is done and on disk."""


class TrainingRun:
    """A run folder, its data and its trainer.

    ``report_split`` names the faces that the final report is about: those of a fold of Training where one is
    asked for, otherwise PublicTest, otherwise PrivateTest, otherwise the training faces themselves.
    ``report`` is that report once there is one.
    """

    def __init__(self, folder: RunFolder, data: Path, options: Options, recipe: Recipe, faces: Faces) -> None:
        self.folder, self.options, self.recipe = folder, options, recipe
        self.report: dict[str, Any] | None = None
        self.digest = faces.digest()
        self.teacher_digests: list[str] = []
        self._provenance = _provenance(data, faces, options, self.digest)
        parts = parted(faces, options, recipe)
        training = parts.training
        self.report_split, self._reported = parts.report_split, parts.reported
        self.trainer = Trainer(
            architecture(options.arch),
            recipe,
            training,
            parts.validation,
            folder.path,
            seed=options.seed,
            calibration=parts.calibration,
            votes=None if options.votes is None else votes_for(training, options.votes),
            class_weights=class_weights(training) if options.class_weights == "balanced" else None,
            teachers=self._teachers(training.label_names),
        )

    def _teachers(self, labels: tuple[str, ...]) -> list[Network | SoftLabels]:
        teachers: list[Network | SoftLabels] = []
        names = []
        for teacher in map(Path, self.options.teachers):
            if is_soft_labels(teacher):
                soft = read_soft_labels(teacher, labels)
                names.append(f"{teacher.name} ({soft.origin})")
                self.teacher_digests.append(_sha256(teacher))
                teachers.append(soft)
            else:
                network = open_teacher(teacher, labels, bfloat16=self.recipe.bfloat16)
                names.append(teacher.name)
                self.teacher_digests.append(_sha256(network.path))
                teachers.append(network)
        if names:
            self._provenance["teachers"] = ", ".join(names)
        return teachers

    @property
    def is_complete(self) -> bool:
        """Whether every epoch is done."""
        return len(self.trainer.history) >= self.recipe.epochs

    def train(self, observer: Observer, *, stop_after_s: float | None = None) -> None:
        """Train the epochs that are left, then write the run's results.

        With ``stop_after_s`` no epoch is begun that would end later than that many seconds from now, as
        long as the one before took; one epoch is always trained. An interruption, or a RunError, leaves the
        results of the last finished epoch and is raised again.
        """
        started = epoch_started = time.monotonic()
        observer.on_start(self)
        try:
            for report in self.trainer.epochs(observer.on_step):
                self.folder.write_history(self.trainer.history)
                self.folder.add_events(report)
                observer.on_epoch(report)
                now = time.monotonic()
                if stop_after_s is not None and now - started + (now - epoch_started) > stop_after_s:
                    break
                epoch_started = now
        except (KeyboardInterrupt, Terminated, RunError):
            if self.trainer.history:
                self.trainer.resume()  # the network is somewhere within an epoch
                self.finish()
            raise
        self.finish()

    def finish(self) -> None:
        """Write the network as it is after the last finished epoch, and what it is worth."""
        history = self.trainer.history
        model = self.trainer.trained_model()
        temperature = self.trainer.calibrate(model)
        digest = self.folder.write_model(model)
        figures = measured(
            predict(model, self._reported.pixels), self._reported.labels, self._reported.label_names
        )
        self.report = {
            "model": str(self.folder.model),
            "sha256": digest,
            "split": self.report_split,
            **figures,
        }
        brief = {name: figures[name] for name in ("accuracy", "mean_class_accuracy", "samples")}
        spec = ModelSpec(
            name=self.options.arch,
            labels=self._reported.label_names,
            interpolation=interpolation(self.recipe.framing),
            crop=_CROP if self.recipe.framing == "whole" else Crop(),
            accuracy={self.report_split: brief},
            provenance={**self._provenance, "framing": self.recipe.framing, "epochs": len(history)}
            | ({} if temperature is None else {"temperature": round(temperature, 4)}),
        )
        self.folder.write_history(history)
        self.folder.write_results(spec, self.report, history)


def new_run(
    folder: RunFolder, data: Path, options: Options, recipe: Recipe, *, overwrite: bool
) -> TrainingRun:
    """A run that begins; makes its folder once the data have been read.

    Raises OutputError when the folder is there and ``overwrite`` is not given, DataError for the data.
    """
    if not overwrite:
        folder.refuse_if_present()
    faces = load_faces(data)
    run = TrainingRun(folder, data, options, recipe, faces)
    config = described(options, recipe, data.absolute(), run.digest)
    folder.create(config | {"teachers_sha256": run.teacher_digests})
    return run


def resumed_run(folder: RunFolder, data: Path, asked: dict[str, Any]) -> TrainingRun:
    """A run that goes on after its last finished epoch, with the options it was started with.

    ``asked`` are the options that were given anew. Raises RunError when there is no run, UsageError when
    an option or the data contradict it.
    """
    config = folder.config()
    faces = load_faces(data)
    require_same(config, asked, faces.digest())
    run = TrainingRun(folder, data, Options(**config["options"]), stored_recipe(config), faces)
    # A run of an earlier version does not say.
    if config.get("teachers_sha256", run.teacher_digests) != run.teacher_digests:
        raise UsageError(
            f"expected the teachers the run was started with ({', '.join(run.options.teachers)}), "
            "their files have changed since; bring them back, or start anew with --overwrite"
        )
    if folder.checkpoint.exists():  # otherwise it was killed within its first epoch
        run.trainer.resume()
    return run


def class_weights(faces: Faces) -> NDArray[np.float32]:
    """A weight for each label, float32 (labels,), so that every label weighs the same; 1 on average."""
    counts = np.bincount(faces.labels, minlength=len(faces.label_names))
    weights = np.divide(
        len(faces) / np.count_nonzero(counts), counts, where=counts > 0, out=np.zeros(len(counts))
    )
    return weights.astype(np.float32)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _provenance(data: Path, faces: Faces, options: Options, digest: str) -> dict[str, Any]:
    is_fer2013 = faces.label_names == FER2013_LABELS and (data.is_file() or len(faces) >= _FER2013_FACES)
    stated = {
        "data": data.name,
        "data_sha256": digest,
        "limit": options.limit,
        "fold": options.fold,
        "labels": options.labels,
        "votes": None if options.votes is None else Path(options.votes).name,
        "class_weights": options.class_weights,
        "recipe": options.recipe,
        "mixup": options.mixup or None,
        "seed": options.seed,
        "licence": "weights learned from research-only data (FER-2013)"
        if is_fer2013
        else "that of the data they were learned from",
        "trainer": f"fer-train {__version__}, Keras {version('keras')} on {keras.backend.backend()}",
    }
    return {name: value for name, value in stated.items() if value not in (None, "none")}
