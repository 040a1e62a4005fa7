"""Run a LiteRT model: pixels in, probabilities out, quantization handled inside."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.input_range import build_pixel_table
from fer_edge.classification.interpreter import allocate, has_free_size, open_interpreter, read_tensors
from fer_edge.classification.preprocess import extract_face, normalize
from fer_edge.classification.probabilities import find_fault
from fer_edge.classification.tensors import check_input, check_output
from fer_edge.errors import ModelError, reason_of
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.models.spec import ModelSpec
from fer_edge.types import Detection, EmotionScores, Frame

__all__ = ["Classifier", "open_interpreter"]


class Classifier:
    """A facial emotion classifier: one LiteRT interpreter, batch 1.

    ``flip_average`` averages the scores of a face and its mirror image, which takes twice the time. Not thread-safe,
    because the interpreter is not: use one classifier per thread. It can be reused until it is closed.

    Raises ModelError if the file cannot be loaded or its outputs are not probabilities, ContractError if its model
    spec contradicts its tensors.

    >>> import numpy as np
    >>> from fer_edge import Classifier
    >>> with Classifier() as classifier:
    ...     probabilities = classifier.predict(np.full((48, 48, 1), 128, np.uint8))
    >>> probabilities.shape, round(float(probabilities.sum()), 3)
    ((7,), 1.0)
    """

    def __init__(
        self, model: ModelFile | str | Path | None = None, *, threads: int = 1, flip_average: bool = False
    ) -> None:
        self._flip_average = flip_average
        self.model = model if isinstance(model, ModelFile) else find_model(model)
        self.spec: ModelSpec = self.model.spec
        self._shape = (self.spec.height, self.spec.width, self.spec.channels)
        self._interpreter: Any = open_interpreter(self.model.path, threads)
        self._prepare_input()
        self._prepare_output()
        self._check_outputs()

    def _prepare_input(self) -> None:
        inputs, _ = read_tensors(self._interpreter, self.model.path)
        check_input(inputs, self.spec, self.model.path)
        self._input = inputs[0]["index"]
        if has_free_size(inputs[0]):
            self._interpreter.resize_tensor_input(self._input, (1, *self._shape))
            allocate(self._interpreter, self.model.path)
        kind, (scale, zero_point) = inputs[0]["dtype"], inputs[0]["quantization"]
        # None: the input is float and takes the normalized pixels directly.
        self._pixel_table = None if kind is np.float32 else build_pixel_table(kind, scale, zero_point)

    def _prepare_output(self) -> None:
        _, outputs = read_tensors(self._interpreter, self.model.path)
        check_output(outputs, self.spec, self.model.path)
        self._output = outputs[0]["index"]
        # Dequantization: real = scale * (value - zero point); a float output has scale 0 and is not changed.
        self._output_step, self._output_zero = outputs[0]["quantization"]

    def _check_outputs(self) -> None:
        """Raise ModelError if the outputs for three test images are not probabilities.

        The images are black, white and half white.
        """
        black, white = np.zeros(self._shape, np.uint8), np.full(self._shape, 255, np.uint8)
        half = black.copy()
        half[: self.spec.height // 2] = 255
        outputs = np.stack([self.compute_outputs(image) for image in (black, white, half)])
        fault = find_fault(outputs, self._output_step)
        if fault is not None:
            raise ModelError(f"{self.model.path}: its outputs {fault}")

    @property
    def output_step(self) -> float:
        """The step between adjacent output values of the network; 0 for float outputs."""
        return float(self._output_step)

    def compute_outputs(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the network's dequantized outputs, float32 (labels,).

        They need not sum to 1.

        ``pixels`` are uint8 (height, width, channels) of the spec's size.
        """
        values = normalize(pixels) if self._pixel_table is None else self._pixel_table.take(pixels)
        self._interpreter.set_tensor(self._input, values[None])
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ModelError(
                f"{self.model.path}: LiteRT cannot run the model: {reason_of(error)}; convert it again"
            ) from error
        raw = self._interpreter.get_tensor(self._output).reshape(-1)
        return np.asarray((raw.astype(np.float32) - self._output_zero) * np.float32(self._output_step or 1.0))

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute probabilities, float32 (labels,).

        ``pixels`` are uint8 (height, width, channels) of the spec's size.
        """
        if pixels.shape != self._shape or pixels.dtype != np.uint8:
            raise ValueError(
                f"expected uint8 pixels of shape {self._shape}, got {pixels.dtype} {pixels.shape}"
            )
        return self._predict(pixels)

    def _predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        # The outputs of an int8 softmax are multiples of 1/256 and need not sum to 1.
        scores = np.clip(self.compute_outputs(pixels), 0.0, None)
        total = float(scores.sum())
        if not np.isfinite(total) or total <= 0:
            raise ModelError(
                f"{self.model.path}: the outputs for this image are not probabilities: {scores.tolist()}; "
                "the weights are damaged or a layer overflows: train or convert the model again"
            )
        return np.asarray(scores / np.float32(total), np.float32)

    def classify(self, frame: Frame, detection: Detection) -> EmotionScores:
        """Compute the scores of one face in a frame."""
        pixels = extract_face(frame, detection, self.spec)
        scores = self._predict(pixels)
        if self._flip_average:
            scores = (scores + self._predict(pixels[:, ::-1])) / np.float32(2)
        return EmotionScores(self.spec.labels, tuple(scores.tolist()))

    def close(self) -> None:
        """Free the interpreter; the classifier cannot be used afterwards."""
        self._interpreter = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
