"""The training run: an epoch at a time, each a function of the seed and the epoch's number alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import normalize
from fer_edge.errors import DataError, RunError
from fer_train.data.batches import Batches
from fer_train.data.dataset import FERPLUS_LABELS, Faces
from fer_train.evaluation.metrics import log_loss
from fer_train.evaluation.temperature_scaling import fitted_temperature
from fer_train.models.loading import Network
from fer_train.models.registry import Architecture
from fer_train.objectives.soft_labels import SoftLabels
from fer_train.objectives.teachers import Teachers, softened
from fer_train.training.checkpoint import load_checkpoint, save_checkpoint
from fer_train.training.optimizer import build_optimizer, set_averaged_weights
from fer_train.training.recipes import Recipe

__all__ = ["CHECKPOINT", "EpochReport", "OnStep", "Trainer", "predict"]

CHECKPOINT: Final = "checkpoint.npz"
_STATISTICS_BATCHES: Final = 12  # of 256 pictures, to re-estimate batch-norm statistics

OnStep = Callable[[int, int, float, float], None]


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What an epoch gave.

    ``loss`` and ``val_loss`` are cross-entropies of the emotion in nats, without label smoothing and
    auxiliary target, so that they can be compared; training's is over augmented pictures.
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


class Trainer:
    """Trains one network on one data set, resumable at every epoch's end.

    ``train`` and ``validation`` are the faces to learn from and to measure on (``validation`` may be
    None), ``calibration`` those to fit a temperature on, which are in neither; ``votes`` are FER+'s, aligned
    with ``train``; ``teachers`` are trained networks with the same labels, or what such networks said of
    the training faces. The run folder must exist.
    """

    def __init__(
        self,
        arch: Architecture,
        recipe: Recipe,
        train: Faces,
        validation: Faces | None,
        run: Path,
        *,
        seed: int = 0,
        calibration: Faces | None = None,
        votes: NDArray[np.uint8] | None = None,
        class_weights: NDArray[np.float32] | None = None,
        teachers: Sequence[Network | SoftLabels] = (),
    ) -> None:
        keep = ~train.is_blank()
        if votes is not None:
            # Nobody saw an emotion there: no faces. (All-zero targets would not do: the gradient of a
            # softmax cross-entropy is p - target, and pushes for ever where the target does not sum to 1.)
            keep &= votes[:, : len(FERPLUS_LABELS)].sum(axis=1) > 0
        if not keep.any():
            raise DataError(f"expected faces to train on, got {len(train)} pictures that show none")
        self._train = train.take(keep)
        self._validation, self._calibration = validation, calibration
        self._recipe = recipe
        self._seed = seed
        self._run = run
        self._targets = {"emotion": _one_hot(self._train.labels, len(train.label_names))}
        if votes is not None and recipe.votes_weight:
            self._targets["votes"] = _vote_shares(votes[keep])
        self._weights = None if class_weights is None else class_weights[self._train.labels]
        known = [t.of(self._train.pixels) for t in teachers if isinstance(t, SoftLabels)]
        if known:
            answers = [softened(probabilities, recipe.temperature) for probabilities in known]
            self._targets["teachers"] = np.asarray(np.mean(answers, axis=0), np.float32)
        networks = [t for t in teachers if not isinstance(t, SoftLabels)]
        self._teachers = Teachers(networks, recipe.temperature, len(known)) if networks else None
        self._arch = arch
        self._model = self._build()
        self.history: list[EpochReport] = []

    def _build(self) -> keras.Model:
        recipe = self._recipe
        keras.utils.set_random_seed(self._seed)
        keras.mixed_precision.set_dtype_policy("mixed_bfloat16" if recipe.bfloat16 else "float32")
        try:
            labels = len(self._train.label_names)
            model = self._arch.build(labels, pixel_std=self.pixel_std)
            loss: dict[str, Any] = {
                "emotion": keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
            }
            outputs = {"emotion": model.output}
            weights = {"emotion": 1.0}
            if "votes" in self._targets:
                # The auxiliary head sees what the classifier's last layer sees.
                shares = keras.layers.Dense(len(FERPLUS_LABELS), name="votes_logits")(
                    model.get_layer("logits").input
                )
                outputs["votes"] = keras.layers.Softmax(dtype="float32", name="votes")(shares)
                loss["votes"] = keras.losses.CategoricalCrossentropy()
                weights["votes"] = recipe.votes_weight
            if self._teachers is not None or "teachers" in self._targets:
                softer = keras.layers.Rescaling(1 / recipe.temperature, name="softened")(
                    model.get_layer("logits").output
                )
                outputs["teachers"] = keras.layers.Softmax(dtype="float32", name="teachers")(softer)
                loss["teachers"] = keras.losses.CategoricalCrossentropy()
                weights["emotion"] = 1 - recipe.teacher_weight
                # The gradient through softened logits is smaller by the square of the temperature.
                weights["teachers"] = recipe.teacher_weight * recipe.temperature**2
            training = keras.Model(model.input, outputs, name=model.name)
        finally:
            keras.mixed_precision.set_dtype_policy("float32")
        training.compile(
            build_optimizer(recipe, self.steps_per_epoch, recipe.epochs),
            loss=loss,
            loss_weights=weights,
            metrics={
                "emotion": [
                    keras.metrics.CategoricalAccuracy(name="accuracy"),
                    keras.metrics.CategoricalCrossentropy(name="cross_entropy"),
                ]
            },
            jit_compile=keras.backend.backend() == "jax",
        )
        return training

    @property
    def pixel_std(self) -> float:
        """The standard deviation of the mean-free training pixels, in grey levels."""
        return float(np.sqrt(np.mean(self._train.contrasts() ** 2)))

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in an epoch."""
        return len(self._train) // self.batch_size

    @property
    def batch_size(self) -> int:
        """Faces in a batch: the recipe's number, or all where there are fewer."""
        return min(self._recipe.batch_size, len(self._train))

    @property
    def samples(self) -> int:
        """Faces that are trained on; those that show nothing are left out."""
        return len(self._train)

    @property
    def model(self) -> keras.Model:
        """The network in training, compiled, with its auxiliary head."""
        return self._model

    def resume(self) -> None:
        """Go back to the end of the last finished epoch; raises RunError where no checkpoint fits."""
        path = self._run / CHECKPOINT
        if not path.exists():
            raise RunError(
                f"{self._run}: expected a checkpoint to resume from, found none; "
                "start anew with --overwrite instead of --resume"
            )
        self.history = [EpochReport(**row) for row in load_checkpoint(path, self._model)]  # type: ignore[arg-type]

    def epochs(self, on_step: OnStep | None = None) -> Iterator[EpochReport]:
        """Train the remaining epochs; after each the checkpoint is on disk.

        ``on_step`` is told the steps done, all steps, and the epoch's mean loss and accuracy so far.
        Raises RunError as soon as the loss is no longer a number; the last epoch's checkpoint stays.
        """
        for epoch in range(len(self.history), self._recipe.epochs):
            report = self._epoch(epoch, on_step)
            self.history.append(report)
            save_checkpoint(self._run / CHECKPOINT, self._model, [asdict(row) for row in self.history])
            yield report

    def _epoch(self, epoch: int, on_step: OnStep | None) -> EpochReport:
        recipe = self._recipe
        batches = Batches(
            self._train.pixels,
            self._targets,
            batch_size=self.batch_size,
            augmentation=recipe.augmentation_in(epoch),
            seed=self._seed,
            epoch=epoch,
            weights=self._weights,
            teachers=self._teachers,
            mixup=0.0 if recipe.is_plain(epoch) else recipe.mixup,
        )
        _seed_dropout(self._model, self._seed, epoch)
        rate = float(keras.ops.convert_to_numpy(self._model.optimizer.learning_rate))
        prefix = "emotion_" if len(self._model.outputs) > 1 else ""
        watch = _Watch(len(batches), prefix, on_step)
        started = time.perf_counter()
        # Keras would shuffle the batches again, by the process's own random numbers: never twice the same.
        logs = self._model.fit(batches, shuffle=False, verbose=0, callbacks=[watch]).history
        seconds = time.perf_counter() - started
        if not math.isfinite(logs["loss"][0]):
            kept = f"the weights of epoch {epoch}" if epoch else "no weights"
            raise RunError(
                f"epoch {epoch + 1}: the loss is no longer a number; {kept} are kept: "
                "train with another recipe, or larger batches"
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
        with self._averaged():
            model = keras.Model(
                self._model.input, self._model.outputs[self._model.output_names.index("emotion")]
            )
            predicted = predict(model, self._validation.pixels)
        accuracy = float(np.mean(predicted.argmax(axis=1) == self._validation.labels))
        return log_loss(predicted, self._validation.labels), accuracy

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """For a while the averaged weights, with batch-norm statistics re-estimated for them."""
        if not self._recipe.ema:
            yield
            return
        trained = [keras.ops.convert_to_numpy(v) for v in self._model.variables]
        set_averaged_weights(self._model)
        order = np.random.default_rng((self._seed, 1 << 20)).permutation(len(self._train))
        batches = [order[i * 256 : (i + 1) * 256] for i in range(_STATISTICS_BATCHES)]
        reestimate_batch_norm(self._model, (self._train.pixels[b] for b in batches if len(b)))
        try:
            yield
        finally:
            for variable, value in zip(self._model.variables, trained, strict=True):
                variable.assign(value)

    def trained_model(self) -> keras.Model:
        """The network to keep: averaged weights, float32, without the auxiliary head."""
        model = self._arch.build(len(self._train.label_names), pixel_std=self.pixel_std)
        with self._averaged():
            for layer in model.layers:
                layer.set_weights(self._model.get_layer(layer.name).get_weights())
        return model

    def calibrate(self, model: keras.Model) -> float | None:
        """Divide the network's last dense layer by the temperature that suits the calibration faces.

        The temperature, or None where there are no such faces; the network is then left as it is. Which
        label is the most probable stays. C. Guo et al., "On Calibration of Modern Neural Networks", 2017.
        """
        if self._calibration is None:
            return None
        last = model.get_layer("logits")
        logits = predict(keras.Model(model.input, last.output), self._calibration.pixels)
        temperature = fitted_temperature(logits, self._calibration.labels)
        last.set_weights([values / temperature for values in last.get_weights()])
        return temperature


def reestimate_batch_norm(model: keras.Model, batches: Iterator[NDArray[np.uint8]]) -> None:
    """Set the batch-norm statistics to their mean over some batches of uint8 (batch, height, width)."""
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for count, pixels in enumerate(batches):
        for norm in norms:
            norm.momentum = count / (count + 1)  # a running mean
        model(normalize(pixels)[..., None], training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each step, and ends an epoch that cannot come to anything."""

    def __init__(self, steps: int, prefix: str, on_step: OnStep | None) -> None:
        super().__init__()
        self._steps, self._prefix, self._on_step = steps, prefix, on_step
        self._done = 0
        self._began = self._first = self._latest = time.perf_counter()

    @property
    def steps_per_s(self) -> float:
        """The speed after the first step, or that step's where there is no other."""
        if self._done > 1:
            return (self._done - 1) / (self._latest - self._first)
        return 1 / (self._first - self._began)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Keras calls this after each step with the epoch's means so far."""
        assert logs is not None
        self._done, self._latest = self._done + 1, time.perf_counter()
        if self._done == 1:
            self._first = self._latest
        if not math.isfinite(logs["loss"]):
            self.model.stop_training = True
        elif self._on_step is not None:
            means = float(logs[f"{self._prefix}cross_entropy"]), float(logs[f"{self._prefix}accuracy"])
            self._on_step(batch + 1, self._steps, *means)


def predict(model: keras.Model, pixels: NDArray[np.uint8], batch_size: int = 256) -> NDArray[np.float32]:
    """A network's output, float32 (n, labels), for uint8 (n, height, width) faces."""
    parts = [
        keras.ops.convert_to_numpy(model(normalize(pixels[i : i + batch_size])[..., None], training=False))
        for i in range(0, len(pixels), batch_size)
    ]
    outputs: NDArray[np.float32] = np.concatenate(parts).astype(np.float32)
    return outputs


def _one_hot(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    return np.eye(classes, dtype=np.float32)[labels]


def _vote_shares(votes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """FER+ votes (n, 10) as shares of the eight emotions (n, 8); every row has such a vote."""
    emotions = votes[:, : len(FERPLUS_LABELS)].astype(np.float32)
    shares: NDArray[np.float32] = emotions / emotions.sum(axis=1, keepdims=True)
    return shares


def _seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Dropout's generators start each epoch at a state that depends on the seed and the epoch alone."""
    for index, layer in enumerate(model._flatten_layers()):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            state = np.random.default_rng((seed, epoch, index)).integers(0, 1 << 31, 2)
            generator.state.assign(state.astype("uint32"))
