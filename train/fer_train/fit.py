"""The training run: an epoch at a time, each a function of the seed and the epoch's number alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import RunError
from fer_edge.preprocess import normalize
from fer_train.archs import Architecture
from fer_train.augment import Augmentation
from fer_train.batches import Batches
from fer_train.checkpoint import load_checkpoint, save_checkpoint
from fer_train.data import FERPLUS_LABELS, Faces
from fer_train.optim import build_optimizer, set_averaged_weights
from fer_train.recipes import Recipe

__all__ = ["EpochReport", "Trainer"]

CHECKPOINT: Final = "checkpoint.npz"
_BLANK_STD: Final = 2.0  # grey levels; a picture flatter than this shows nothing
_STATISTICS_BATCHES: Final = 12  # of 256 pictures, to re-estimate batch-norm statistics


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What an epoch gave. Losses in nats, rates in pictures per second, times in seconds."""

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    images_per_s: float
    seconds: float


class Trainer:
    """Trains one network on one data set, resumable at every epoch's end.

    ``train`` and ``validation`` are the faces to learn from and to measure on (``validation`` may be
    None); ``votes`` are FER+'s, aligned with ``train``. The run folder must exist.
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
        votes: NDArray[np.uint8] | None = None,
        class_weights: NDArray[np.float32] | None = None,
    ) -> None:
        keep = train.pixels.reshape(len(train), -1).std(axis=1) >= _BLANK_STD
        if votes is not None:
            # Nobody saw an emotion there: no faces. (All-zero targets would not do: the gradient of a
            # softmax cross-entropy is p - target, and pushes for ever where the target does not sum to 1.)
            keep &= votes[:, : len(FERPLUS_LABELS)].sum(axis=1) > 0
        self._train = train.take(keep)
        self._validation = validation
        self._recipe = recipe
        self._seed = seed
        self._run = run
        self._targets = {"emotion": _one_hot(self._train.labels, len(train.label_names))}
        if votes is not None and recipe.votes_weight:
            self._targets["votes"] = _vote_shares(votes[keep])
        self._weights = None if class_weights is None else class_weights[self._train.labels]
        self._arch = arch
        self._model = self._build()
        self.finished_epochs = 0

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
            training = keras.Model(model.input, outputs, name=model.name)
        finally:
            keras.mixed_precision.set_dtype_policy("float32")
        training.compile(
            build_optimizer(recipe, self.steps_per_epoch, recipe.epochs),
            loss=loss,
            loss_weights=weights,
            metrics={"emotion": [keras.metrics.CategoricalAccuracy(name="accuracy")]},
            jit_compile=keras.backend.backend() == "jax",
        )
        return training

    @property
    def pixel_std(self) -> float:
        """The standard deviation of the mean-free training pixels, in grey levels."""
        pixels = self._train.pixels.reshape(len(self._train), -1)
        return float(np.sqrt(np.mean(pixels.std(axis=1, dtype=np.float64) ** 2)))

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in an epoch."""
        return max(1, len(self._train) // self._recipe.batch_size)

    def resume(self) -> None:
        """Go on from the run's checkpoint; raises RunError where there is none that fits."""
        path = self._run / CHECKPOINT
        if not path.exists():
            raise RunError(
                f"{self._run}: expected a checkpoint to resume from, found none; start without --resume"
            )
        self.finished_epochs = load_checkpoint(path, self._model)

    def epochs(
        self, on_step: Callable[[int, int, dict[str, float]], None] | None = None
    ) -> Iterator[EpochReport]:
        """Train the remaining epochs; after each the checkpoint is on disk.

        Raises RunError when the loss is no longer a number; the checkpoint of the last good epoch stays.
        """
        for epoch in range(self.finished_epochs, self._recipe.epochs):
            report = self._epoch(epoch, on_step)
            if not np.isfinite(report.loss):
                raise RunError(
                    f"epoch {epoch + 1}: the loss is no longer a number; the weights of epoch {epoch} are kept: "
                    "lower the learning rate"
                )
            self.finished_epochs = epoch + 1
            save_checkpoint(self._run / CHECKPOINT, self._model, self.finished_epochs)
            yield report

    def _epoch(self, epoch: int, on_step: Callable[[int, int, dict[str, float]], None] | None) -> EpochReport:
        recipe = self._recipe
        plain = epoch >= recipe.epochs - recipe.plain_epochs
        batches = Batches(
            self._train.pixels,
            self._targets,
            batch_size=recipe.batch_size,
            augmentation=Augmentation(flip=recipe.augmentation.flip) if plain else recipe.augmentation,
            seed=self._seed,
            epoch=epoch,
            weights=self._weights,
        )
        _seed_dropout(self._model, self._seed, epoch)
        rate = float(keras.ops.convert_to_numpy(self._model.optimizer.learning_rate))
        started = time.perf_counter()
        logs = self._model.fit(batches, verbose=0, callbacks=[_StepCallback(len(batches), on_step)]).history
        seconds = time.perf_counter() - started
        accuracy = logs["accuracy" if "votes" not in self._targets else "emotion_accuracy"][0]
        val_loss, val_accuracy = self._validate()
        return EpochReport(
            epoch=epoch + 1,
            loss=float(logs["loss"][0]),
            accuracy=float(accuracy),
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            learning_rate=rate,
            images_per_s=len(batches) * min(recipe.batch_size, len(self._train)) / seconds,
            seconds=seconds,
        )

    def _validate(self) -> tuple[float, float]:
        if self._validation is None:
            return float("nan"), float("nan")
        trained = [keras.ops.convert_to_numpy(v) for v in self._model.variables]
        self._average()
        model = keras.Model(self._model.input, self._model.outputs[self._model.output_names.index("emotion")])
        predict = _predict(model, self._validation.pixels)
        for variable, value in zip(self._model.variables, trained, strict=True):
            variable.assign(value)
        chosen = predict[np.arange(len(predict)), self._validation.labels]
        accuracy = float(np.mean(predict.argmax(axis=1) == self._validation.labels))
        return float(-np.log(np.maximum(chosen, 1e-7)).mean()), accuracy

    def _average(self) -> None:
        """Swap in the averaged weights and re-estimate the batch-norm statistics that belong to them."""
        if not self._recipe.ema:
            return
        set_averaged_weights(self._model)
        order = np.random.default_rng((self._seed, 1 << 20)).permutation(len(self._train))
        batches = [order[i * 256 : (i + 1) * 256] for i in range(_STATISTICS_BATCHES)]
        reestimate_batch_norm(self._model, (self._train.pixels[b] for b in batches if len(b)))

    def trained_model(self) -> keras.Model:
        """The network to keep: averaged weights, float32, without the auxiliary head."""
        trained = [keras.ops.convert_to_numpy(v) for v in self._model.variables]
        self._average()
        model = self._arch.build(len(self._train.label_names), pixel_std=self.pixel_std)
        for layer in model.layers:
            layer.set_weights(self._model.get_layer(layer.name).get_weights())
        for variable, value in zip(self._model.variables, trained, strict=True):
            variable.assign(value)
        return model


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


class _StepCallback(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, steps: int, on_step: Callable[[int, int, dict[str, float]], None] | None) -> None:
        super().__init__()
        self._steps, self._on_step = steps, on_step

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._on_step is not None:
            self._on_step(batch + 1, self._steps, logs or {})


def _predict(model: keras.Model, pixels: NDArray[np.uint8], batch_size: int = 256) -> NDArray[np.float32]:
    parts = [
        keras.ops.convert_to_numpy(model(normalize(pixels[i : i + batch_size])[..., None], training=False))
        for i in range(0, len(pixels), batch_size)
    ]
    return np.asarray(np.concatenate(parts), np.float32)


def _one_hot(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    return np.eye(classes, dtype=np.float32)[labels]


def _vote_shares(votes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """FER+ votes (n, 10) as shares of the eight emotions (n, 8); every row has such a vote."""
    emotions = votes[:, : len(FERPLUS_LABELS)].astype(np.float32)
    return emotions / emotions.sum(axis=1, keepdims=True)


def _seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Dropout's generators start each epoch at a state that depends on the seed and the epoch alone."""
    for index, layer in enumerate(model._flatten_layers()):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            state = np.random.default_rng((seed, epoch, index)).integers(0, 1 << 31, 2)
            generator.state.assign(state.astype("uint32"))
