"""Optimizer and learning rate schedule.

Both depend only on the step, so that a run can be resumed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from fer_train.training.recipes import Recipe

__all__ = ["AveragedSGD", "WarmupCosine", "build_optimizer"]


@keras.saving.register_keras_serializable(package="fer_train")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Linear warmup to ``peak``, then cosine decay to 0.

    The warmup takes ``warmup`` of ``total`` steps.
    """

    def __init__(self, peak: float, warmup: int, total: int) -> None:
        super().__init__()
        self.peak, self.warmup, self.total = peak, warmup, total

    def __call__(self, step: Any) -> Any:
        """Compute the learning rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        rise = (step + 1) / max(1, self.warmup)
        progress = ops.clip((step - self.warmup) / max(1, self.total - self.warmup), 0.0, 1.0)
        return self.peak * ops.where(step < self.warmup, rise, 0.5 * (1 + ops.cos(math.pi * progress)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the schedule."""
        return {"peak": self.peak, "warmup": self.warmup, "total": self.total}


@keras.saving.register_keras_serializable(package="fer_train")
class AveragedSGD(keras.optimizers.SGD):  # type: ignore[misc]
    """SGD that keeps averaged weights separate from the trained weights.

    Keras overwrites the model with the average at the end of every ``fit``, so a run that calls ``fit`` once per
    epoch would continue from the average. Keras' average also starts at the weights of the first step, which have an
    effect for thousands of steps with a momentum of 0.999. Here the average spans at most the last tenth of the
    steps, as in TensorFlow's ExponentialMovingAverage.
    """

    _is_body: Sequence[bool] = ()
    _body_rate = 1.0
    _head_steps = 0

    def _update_model_variables_moving_average(self, trainable_variables: Any) -> None:
        if not self.use_ema:
            return
        step = ops.cast(self.iterations, "float32")
        momentum = ops.minimum(self.ema_momentum, (1 + step) / (10 + step))
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            average.assign(momentum * average + (1 - momentum) * variable)

    def set_body(self, is_body: Sequence[bool], rate: float, head_steps: int) -> None:
        """Train the selected variables at ``rate`` times the learning rate.

        ``is_body`` selects them, in the order of the model. They do not change in the first ``head_steps`` steps, and
        their rate rises over as many steps after that. Training them at the full rate at once would destroy the
        pretrained features.
        """
        self._is_body, self._body_rate, self._head_steps = list(is_body), rate, head_steps

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """Apply a step with scaled gradients.

        With momentum, this is the same as scaling the learning rate.
        """
        if any(self._is_body):
            beyond = ops.cast(self.iterations, "float32") - self._head_steps
            factor = self._body_rate * ops.clip(beyond / max(1, self._head_steps), 0.0, 1.0)
            grads = [
                gradient * ops.cast(factor, gradient.dtype) if body else gradient
                for gradient, body in zip(grads, self._is_body, strict=True)
            ]
        return super().apply(grads, trainable_variables)

    def finalize_variable_values(self, var_list: Any) -> None:
        """Keep the trained weights, which Keras would overwrite with the average."""


def build_optimizer(
    recipe: Recipe, steps_per_epoch: int, epochs: int, *, is_body: Sequence[bool] = ()
) -> keras.optimizers.Optimizer:
    """Build the recipe's optimizer, with a schedule over ``epochs``.

    ``is_body`` states for each trainable variable of the model whether it belongs to another layer than the last one.
    """
    schedule: Any
    if recipe.schedule == "cosine":
        warmup = round(min(recipe.warmup_epochs, epochs / 4) * steps_per_epoch)
        schedule = WarmupCosine(recipe.learning_rate, warmup, epochs * steps_per_epoch)
    else:
        schedule = keras.optimizers.schedules.ExponentialDecay(
            recipe.learning_rate, recipe.decay_steps, recipe.decay_rate, staircase=True
        )
    optimizer = AveragedSGD(
        schedule,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay or None,
        use_ema=recipe.ema > 0,
        ema_momentum=recipe.ema or 0.99,
    )
    if recipe.head_epochs or recipe.body_rate != 1:
        optimizer.set_body(is_body, recipe.body_rate, recipe.head_epochs * steps_per_epoch)
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
