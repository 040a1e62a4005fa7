"""LiteRT's interpreter, and its refusals in words that help."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fer_edge.errors import ModelError, reason_of

__all__ = ["allocate", "has_free_size", "open_interpreter"]

_NODE = re.compile(r"Node number \d+ \((\w+)\)")


def open_interpreter(path: Path, threads: int) -> Any:
    """A LiteRT interpreter with its tensors allocated; raises ModelError with the interpreter's reason.

    The tensors of a network that takes images of any size are not allocated: it has to be given one first.
    """
    try:
        interpreter = _interpreter_class()(model_path=str(path), num_threads=max(1, threads))
    except (ValueError, RuntimeError) as error:
        raise _explain(path, error) from error
    if not any(map(has_free_size, interpreter.get_input_details())):
        allocate(interpreter, path)
    return interpreter


def has_free_size(tensor: dict[str, Any]) -> bool:
    """Whether a tensor of an interpreter's details leaves more than the number of images open."""
    return any(length < 0 for length in tensor["shape_signature"][1:])


def allocate(interpreter: Any, path: Path) -> None:
    """Allocate the tensors; raises ModelError with the interpreter's reason."""
    try:
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise _explain(path, error) from error


def _explain(path: Path, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())
    operator = _NODE.search(reason)
    if "Select TensorFlow op" in reason or "unresolved custom op" in reason:
        what = "TensorFlow's own" if "Select TensorFlow op" in reason else "custom ones"
        return ModelError(
            f"{path}: it needs operators that are not built into TFLite, {what}"
            f"{f' ({operator[1]} and perhaps others)' if operator else ''}; replace the layers that they come from, "
            "and convert with tf.lite.OpsSet.TFLITE_BUILTINS alone"
        )
    return ModelError(
        f"{path}: the interpreter refused it: {reason_of(reason)}; "
        "the file may be truncated, or made for a newer LiteRT: copy it again, or convert the network again"
    )


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
