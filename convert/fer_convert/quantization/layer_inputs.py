"""Mean and covariance of the inputs of a TFLite network's linear layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_convert.quantization.linear_layers import LinearLayer
from fer_edge.classification.preprocess import normalize

__all__ = ["InputStatistics", "observe_inputs"]

_POSITIONS: Final = 64  # positions of the kernel observed per image
_BATCH: Final = 50  # images

Floats = NDArray[np.float64]


class InputStatistics:
    """Mean and covariance of the inputs of a layer's weights."""

    def __init__(self, layer: LinearLayer) -> None:
        count = len(layer.weights)
        self._layer = layer
        self._rows = 0
        self._sum, self._products = np.zeros(count), np.zeros((count, count))

    def update(self, tensors: NDArray[np.float32], seed: int) -> None:
        """Add the layer's input tensor for some images, float32 (images, ...)."""
        rows = _sample_patches(self._layer, tensors, seed).astype(np.float64)
        self._rows += len(rows)
        self._sum += rows.sum(axis=0)
        self._products += rows.T @ rows

    def compute_mean(self) -> Floats:
        """Compute the mean, float64 (inputs,)."""
        return self._sum / self._rows

    def compute_covariance(self) -> Floats:
        """Compute the covariance, float64 (inputs, inputs).

        It is shrunk towards its diagonal, more strongly with fewer observed rows per input.
        """
        mean = self.compute_mean()
        covariance = self._products / self._rows - np.outer(mean, mean)
        shrinkage = len(mean) / (len(mean) + self._rows)
        return np.asarray((1 - shrinkage) * covariance + shrinkage * np.diag(covariance.diagonal()))


def observe_inputs(
    network: bytes, layers: list[LinearLayer], images: Iterable[NDArray[np.uint8]]
) -> list[InputStatistics]:
    """Run a float32 network and return the input statistics of each layer.

    ``images`` are uint8 (height, width, channels).
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=network,
        num_threads=2,
        # A delegate would hide the tensors between the layers.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    statistics = [InputStatistics(layer) for layer in layers]
    for number, batch in enumerate(_split_into_batches(images)):
        observed: list[list[NDArray[np.float32]]] = [[] for _ in layers]
        for image in batch:
            interpreter.set_tensor(source, normalize(image)[None])
            interpreter.invoke()
            for layer, tensors in zip(layers, observed, strict=True):
                tensors.append(interpreter.get_tensor(layer.source))
        for inputs, tensors in zip(statistics, observed, strict=True):
            inputs.update(np.concatenate(tensors), number)
    return statistics


def _split_into_batches(images: Iterable[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    remaining = iter(images)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _sample_patches(layer: LinearLayer, tensors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Sample the kernel's inputs at random positions: (rows, inputs).

    Takes up to ``_POSITIONS`` positions per image.
    """
    if layer.kernel is None:
        return tensors.reshape(-1, len(layer.weights))
    if layer.same_padding:
        sides = (
            _compute_padding(size, kernel, stride)
            for size, kernel, stride in zip(tensors.shape[1:3], layer.kernel, layer.stride, strict=True)
        )
        tensors = np.pad(tensors, ((0, 0), *sides, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(tensors, layer.kernel, axis=(1, 2))
    windows = windows[:, :: layer.stride[0], :: layer.stride[1]]
    count = windows.shape[1] * windows.shape[2]
    positions = np.random.default_rng(seed).permutation(count)[:_POSITIONS]
    chosen = windows[:, positions // windows.shape[2], positions % windows.shape[2]]
    return np.moveaxis(chosen, 2, -1).reshape(-1, len(layer.weights))


def _compute_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Compute TensorFlow's ``same`` padding, before and after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
