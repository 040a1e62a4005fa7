"""Training of one network, epoch by epoch.

Each epoch depends only on the seed and its number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import RunError
from fer_train.data.dataset import FaceDataset
from fer_train.evaluation.metrics import compute_log_loss
from fer_train.models.architecture import Architecture
from fer_train.models.initial import copy_body
from fer_train.models.prediction import predict
from fer_train.models.run_files import CHECKPOINT_FILE
from fer_train.objectives.base import Objective, combine_weights
from fer_train.objectives.view_answers import ViewAnswers
from fer_train.training.checkpoint import load_checkpoint, save_checkpoint
from fer_train.training.epochs import AugmentedEpochs, Epochs, ViewEpochs
from fer_train.training.history import EpochReport
from fer_train.training.optimizer import build_optimizer
from fer_train.training.recipes import Recipe
from fer_train.training.weight_averaging import use_averaged_weights

__all__ = ["OnStep", "Trainer"]

OnStep = Callable[[int, int, float, float], None]
"""Function called with the step, the number of steps, and the epoch's mean loss and accuracy so far."""


class Trainer:
    """Trainer of one network on one data set, resumable at the end of every epoch.

    ``training`` and ``validation`` are the faces to train on and to evaluate on (``validation`` may be None). The
    first of the ``objectives`` is the main one: it is the one that is evaluated, and its output is the trained
    model's. ``class_weights``, float32 (labels,), are the weights of the faces by label. ``folder``, the run folder,
    must exist. ``pixel_std`` is that of the network passed to :meth:`begin_with`; None computes it from the training
    faces. With ``view_answers`` the network trains on their views; ``training`` then contains their faces, in the
    same order, and ``shown``, bool (n,), selects the faces of an epoch. Raises DataError if no faces are left to
    learn from, and the errors of the objectives.
    """

    def __init__(
        self,
        arch: Architecture,
        recipe: Recipe,
        objectives: Sequence[Objective],
        training: FaceDataset,
        validation: FaceDataset | None,
        folder: Path,
        *,
        class_weights: NDArray[np.float32] | None = None,
        pixel_std: float | None = None,
        view_answers: ViewAnswers | None = None,
        shown: NDArray[np.bool_] | None = None,
        seed: int = 0,
    ) -> None:
        self._arch, self._recipe, self._objectives = arch, recipe, list(objectives)
        self._epochs: Epochs = (
            AugmentedEpochs(training, objectives, recipe, class_weights=class_weights, seed=seed)
            if view_answers is None
            else ViewEpochs(
                training,
                objectives,
                recipe,
                view_answers,
                shown=shown,
                class_weights=class_weights,
                seed=seed,
            )
        )
        self._training, self._validation = self._epochs.faces, validation
        self._folder, self._seed, self._pixel_std = folder, seed, pixel_std
        self._best: list[NDArray[np.float32]] = []
        self._model = self._build_model()
        self.history: list[EpochReport] = []

    def _build_model(self) -> keras.Model:
        recipe = self._recipe
        keras.utils.set_random_seed(self._seed)
        keras.mixed_precision.set_dtype_policy("mixed_bfloat16" if recipe.bfloat16 else "float32")
        try:
            model = self._arch.build(len(self._training.label_names), pixel_std=self.pixel_std)
            outputs = {objective.name: objective.build_output(model) for objective in self._objectives}
            training = keras.Model(model.input, outputs, name=model.name)
        finally:
            keras.mixed_precision.set_dtype_policy("float32")
        if recipe.freeze_norms:
            _freeze_norms(training)
        training.compile(
            build_optimizer(
                recipe, self.steps_per_epoch, recipe.epochs, is_body=_find_body(training, self._objectives)
            ),
            loss={objective.name: objective.build_loss() for objective in self._objectives},
            loss_weights=combine_weights(self._objectives),
            metrics={
                self._main_output: [
                    keras.metrics.CategoricalAccuracy(name="accuracy"),
                    keras.metrics.CategoricalCrossentropy(name="cross_entropy"),
                ]
            },
            jit_compile=keras.backend.backend() == "jax",
        )
        return training

    @property
    def _main_output(self) -> str:
        return self._objectives[0].name

    @property
    def pixel_std(self) -> float:
        """Standard deviation of the mean-free pixels, in gray levels.

        The network divides its input by it.
        """
        if self._pixel_std is not None:
            return self._pixel_std
        return float(np.sqrt(np.mean(self._training.compute_contrasts() ** 2)))

    @property
    def steps_per_epoch(self) -> int:
        """Number of optimizer steps per epoch."""
        return len(self._training) // self.batch_size

    @property
    def batch_size(self) -> int:
        """Faces per batch: the recipe's batch size, or all faces if there are fewer."""
        return min(self._recipe.batch_size, len(self._training))

    @property
    def samples(self) -> int:
        """Number of training faces, without blank ones."""
        return len(self._training)

    @property
    def model(self) -> keras.Model:
        """The compiled network in training, with one output per objective."""
        return self._model

    @property
    def best_epoch(self) -> int | None:
        """The epoch, counted from 1, whose weights are kept; None for the last epoch."""
        losses = [math.inf if report.val_loss is None else report.val_loss for report in self.history]
        return int(np.argmin(losses)) + 1 if losses and self._stops_early else None

    @property
    def is_complete(self) -> bool:
        """Whether no epochs are left to train."""
        done = len(self.history)
        if done >= self._recipe.epochs:
            return True
        best = self.best_epoch
        return best is not None and done - max(best, self._recipe.head_epochs) >= self._recipe.patience

    @property
    def _stops_early(self) -> bool:
        return self._recipe.patience > 0 and self._validation is not None

    def begin_with(self, network: keras.Model, name: str) -> None:
        """Copy all weights but the last layer's from a trained network.

        The networks have the same architecture. ``name`` names the network in messages. Raises ModelError if its layers
        differ.
        """
        copy_body(network, self._model, name)

    def resume(self) -> None:
        """Restore the state after the last finished epoch.

        Raises RunError without a usable checkpoint.
        """
        path = self._folder / CHECKPOINT_FILE
        if not path.exists():
            raise RunError(
                f"{self._folder}: cannot resume, as {CHECKPOINT_FILE} does not exist; start the run over"
            )
        self.history, self._best = load_checkpoint(path, self._model)

    def train_epochs(self, on_step: OnStep | None = None) -> Iterator[EpochReport]:
        """Train the remaining epochs and yield the report of each.

        The checkpoint of an epoch is saved before its report is yielded. ``on_step`` is called after each step. Raises
        RunError as soon as the loss is not finite; the checkpoint of the epoch before is kept.
        """
        while not self.is_complete:
            report = self._train_epoch(len(self.history), on_step)
            save_checkpoint(self._folder / CHECKPOINT_FILE, self._model, [*self.history, report], self._best)
            self.history.append(report)
            yield report

    def _train_epoch(self, epoch: int, on_step: OnStep | None) -> EpochReport:
        batches = self._epochs.make_batches(epoch, self.batch_size)
        _seed_dropout(self._model, self._seed, epoch)
        rate = float(keras.ops.convert_to_numpy(self._model.optimizer.learning_rate))
        # Keras prefixes the metrics with the name of the output if the network has several.
        prefix = f"{self._main_output}_" if len(self._model.outputs) > 1 else ""
        watch = _StepWatch(len(batches), prefix, on_step)
        started = time.perf_counter()
        # Keras would shuffle the batches with the global random state, which is not reproducible.
        logs = self._model.fit(batches, shuffle=False, verbose=0, callbacks=[watch]).history
        seconds = time.perf_counter() - started
        if not math.isfinite(logs["loss"][0]):
            kept = f"the weights of epoch {epoch} are kept" if epoch else "no weights were saved"
            raise RunError(
                f"epoch {epoch + 1}: the training diverged (loss is not finite) and {kept}; "
                "train with another recipe or larger batches"
            )
        val_loss, val_accuracy = self._validate()
        return EpochReport(
            epoch=epoch + 1,
            loss=float(logs[f"{prefix}cross_entropy"][0]),
            accuracy=float(logs[f"{prefix}accuracy"][0]),
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            learning_rate=rate,
            images_per_s=watch.steps_per_s * self.batch_size,
            seconds=seconds,
        )

    def _validate(self) -> tuple[float | None, float | None]:
        if self._validation is None:
            return None, None
        with use_averaged_weights(self._model, self._training.pixels, self._seed):
            output = self._model.outputs[self._model.output_names.index(self._main_output)]
            predicted = predict(keras.Model(self._model.input, output), self._validation.pixels)
            loss = compute_log_loss(predicted, self._validation.labels)
            if self._stops_early and all(loss < (before.val_loss or 0) for before in self.history):
                self._best = [keras.ops.convert_to_numpy(weights) for weights in self._model.weights]
        accuracy = float(np.mean(predicted.argmax(axis=1) == self._validation.labels))
        return loss, accuracy

    def build_trained_model(self) -> keras.Model:
        """Build the trained network in float32, with the main objective's output only.

        It has the averaged weights, or the weights of the best epoch if the recipe can stop early.
        """
        model = self._arch.build(len(self._training.label_names), pixel_std=self.pixel_std)
        with self._kept_weights():
            for layer in model.layers:
                layer.set_weights(self._model.get_layer(layer.name).get_weights())
        return model

    @contextmanager
    def _kept_weights(self) -> Iterator[None]:
        """Set the final weights in the network in training for the duration of the block."""
        if not self._best:
            with use_averaged_weights(self._model, self._training.pixels, self._seed):
                yield
            return
        trained = [keras.ops.convert_to_numpy(weights) for weights in self._model.weights]
        try:
            _assign(self._model.weights, self._best)
            yield
        finally:
            _assign(self._model.weights, trained)


class _StepWatch(keras.callbacks.Callback):  # type: ignore[misc]
    """Callback that reports each step and ends an epoch whose loss is not finite."""

    def __init__(self, steps: int, prefix: str, on_step: OnStep | None) -> None:
        super().__init__()
        self._steps, self._prefix, self._on_step = steps, prefix, on_step
        self._done = 0
        self._began = self._first = self._latest = time.perf_counter()

    @property
    def steps_per_s(self) -> float:
        """Steps per second without the first step, unless it is the only one."""
        if self._done > 1:
            return (self._done - 1) / (self._latest - self._first)
        return 1 / (self._first - self._began)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Report a step; ``logs`` contains the epoch's means so far."""
        assert logs is not None
        self._done, self._latest = self._done + 1, time.perf_counter()
        if self._done == 1:
            self._first = self._latest
        if not math.isfinite(logs["loss"]):
            self.model.stop_training = True
        elif self._on_step is not None:
            means = float(logs[f"{self._prefix}cross_entropy"]), float(logs[f"{self._prefix}accuracy"])
            self._on_step(batch + 1, self._steps, *means)


def _freeze_norms(model: keras.Model) -> None:
    """Freeze all batch norms: their statistics, scale and shift."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _find_body(model: keras.Model, objectives: Sequence[Objective]) -> list[bool]:
    """Return for each trainable variable whether it is outside the objectives' last layers."""
    heads = [f"{name}/" for name in ("logits", *(f"{objective.name}_logits" for objective in objectives))]
    return [not variable.path.startswith(tuple(heads)) for variable in model.trainable_variables]


def _assign(variables: Sequence[Any], values: Sequence[NDArray[np.float32]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the state of all dropout generators from the seed and the epoch."""
    for index, layer in enumerate(model._flatten_layers()):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            state = np.random.default_rng((seed, epoch, index)).integers(0, 1 << 31, 2)
            generator.state.assign(state.astype("uint32"))
