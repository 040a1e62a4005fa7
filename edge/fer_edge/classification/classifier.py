"""LiteRT behind one class: pixels in, probabilities out. Quantization stays inside."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import extract_face, normalize, quantize_pixels
from fer_edge.errors import ContractError, ModelError
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.models.spec import PIXEL_SCALE, ModelSpec
from fer_edge.types import Detection, EmotionScores, Frame

__all__ = ["Classifier", "open_interpreter"]


class Classifier:
    """A facial emotion classifier: one LiteRT interpreter, batch 1.

    Not thread-safe, as the interpreter is not: give each thread its own. Reusable until closed.

    Raises ModelError when the file cannot be loaded, ContractError when its contract contradicts its
    tensors.
    """

    def __init__(self, model: ModelFile | str | Path | None = None, *, threads: int = 1) -> None:
        self.model = model if isinstance(model, ModelFile) else find_model(model)
        self.spec: ModelSpec = self.model.spec
        self._interpreter: Any = open_interpreter(self.model.path, threads)
        source, output = _single_tensors(self._interpreter, self.model.path)
        _check_contract(self.spec, source, output, self.model.path)
        self._input, self._output = source["index"], output["index"]
        self._quantized_input = source["dtype"] is np.int8
        # Dequantization: real = scale * (value - zero point); a float output has scale 0 and stays.
        scale, zero_point = output["quantization"]
        self._output_scale, self._output_zero = (scale or 1.0), zero_point
        self._predict(np.zeros((self.spec.height, self.spec.width, self.spec.channels), np.uint8))

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities, float32 (labels,), of uint8 (height, width, channels) pixels of the spec's size."""
        expected = (self.spec.height, self.spec.width, self.spec.channels)
        if pixels.shape != expected or pixels.dtype != np.uint8:
            raise ValueError(f"expected uint8 pixels of shape {expected}, got {pixels.dtype} {pixels.shape}")
        return self._predict(pixels)

    def _predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = quantize_pixels(pixels) if self._quantized_input else normalize(pixels)
        self._interpreter.set_tensor(self._input, values[None])
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output)[0]
        scores = (raw.astype(np.float32) - self._output_zero) * np.float32(self._output_scale)
        # An int8 softmax is in steps of 1/256 and need not sum to 1.
        scores = np.clip(scores, 0.0, None)
        total = float(scores.sum())
        if not np.isfinite(total) or total <= 0:
            raise ModelError(f"{self.model.path}: expected probabilities, the network gave {raw.tolist()}")
        return np.asarray(scores / np.float32(total), np.float32)

    def classify(self, frame: Frame, detection: Detection) -> EmotionScores:
        """The scores of one face of a frame."""
        scores = self._predict(extract_face(frame, detection, self.spec))
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


def open_interpreter(path: Path, threads: int) -> Any:
    """A LiteRT interpreter with its tensors allocated; raises ModelError with the interpreter's reason."""
    try:
        interpreter = _interpreter_class()(model_path=str(path), num_threads=max(1, threads))
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{path}: expected a TFLite model, the interpreter refused it: {reason}") from error
    return interpreter


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:
        try:
            # 32-bit ARM has no LiteRT wheel; the last tflite-runtime has the same class.
            from tflite_runtime.interpreter import Interpreter
        except ModuleNotFoundError:
            raise ModelError(
                "LiteRT is not installed; install it with: pip install ai-edge-litert "
                "(on 32-bit ARM: tflite-runtime and numpy<2, on Python 3.11)"
            ) from None
    return Interpreter


def _single_tensors(interpreter: Any, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ContractError(
            f"{path}: expected a network with one input and one output, got {len(inputs)} and {len(outputs)}"
        )
    for tensor in (inputs[0], outputs[0]):
        tensor["shape"] = tensor["shape"].tolist()  # whose numbers are NumPy's, and say so in print
    return inputs[0], outputs[0]


def _check_contract(spec: ModelSpec, source: dict[str, Any], output: dict[str, Any], path: Path) -> None:
    expected = [1, spec.height, spec.width, spec.channels]
    if source["shape"] != expected:
        raise ContractError(
            f"{path}: its spec names an input of {expected}, its tensor has {source['shape']}"
        )
    if output["shape"] != [1, len(spec.labels)]:
        raise ContractError(
            f"{path}: its spec names {len(spec.labels)} labels ({', '.join(spec.labels)}), "
            f"its output has the shape {output['shape']}; attach the spec it was trained with"
        )
    for tensor, what in ((source, "input"), (output, "output")):
        if tensor["dtype"] not in (np.float32, np.int8):
            raise ContractError(
                f"{path}: expected a float32 or int8 {what}, got {np.dtype(tensor['dtype']).name}"
            )
    if source["dtype"] is np.int8 and source["quantization"] != (1 / PIXEL_SCALE, 0):
        raise ContractError(
            f"{path}: expected an int8 input of scale 1/{PIXEL_SCALE} and zero point 0, got {source['quantization']}"
        )
