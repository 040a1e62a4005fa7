"""Temperature scaling, which calibrates a network's probabilities with one number.

C. Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2: the logits of a trained network are
divided by a temperature that is fitted on faces it was not trained on. The most probable label does not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_train.data.dataset import FaceDataset
from fer_train.models.prediction import predict

if TYPE_CHECKING:
    import keras

__all__ = ["fit_temperature", "scale_model"]

_LIMITS: Final = (0.2, 100.0)
_HALVINGS: Final = 40  # of the range of log T: the temperature is exact to 10 digits


def fit_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """Fit the temperature T that minimizes the cross-entropy of softmax(logits / T).

    T is limited to 0.2…100. ``logits`` is float (n > 0, classes), ``labels`` int64 (n,). The cross-entropy is convex in
    1/T, so bisection of log T by the sign of the derivative is enough. Raises ValueError for logits that are not finite
    or do not match the labels in number.
    """
    if logits.ndim != 2 or len(logits) != len(labels) or not len(labels) or not np.isfinite(logits).all():
        raise ValueError(
            f"expected finite logits (n > 0, classes) for {len(labels)} labels, got {logits.shape}"
        )
    exact = logits.astype(np.float64)
    true = exact[np.arange(len(labels)), labels]
    low, high = np.log(_LIMITS)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _compute_slope(exact, true, float(np.exp(-middle))) > 0:
            low = middle  # a smaller 1/T, and so a higher temperature, is better
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def scale_model(model: keras.Model, faces: FaceDataset) -> float:
    """Divide a network's ``logits`` layer by a fitted temperature; return it.

    The temperature is fitted on the given faces. The network must not have been trained on these faces. The most
    probable label does not change.
    """
    import keras

    last = model.get_layer("logits")
    logits = predict(keras.Model(model.input, last.output), faces.pixels)
    temperature = fit_temperature(logits, faces.labels)
    last.set_weights([values / temperature for values in last.get_weights()])
    return temperature


def _compute_slope(logits: NDArray[np.float64], true: NDArray[np.float64], inverse: float) -> float:
    """Return the derivative of the cross-entropy with respect to 1/T.

    It is the mean of the expected logit minus the logit of the true class.
    """
    scaled = logits * inverse
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    return float(((shares * logits).sum(axis=1) - true).mean())
