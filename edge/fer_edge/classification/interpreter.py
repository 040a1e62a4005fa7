"""Open LiteRT's interpreter, and explain why it rejects a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fer_edge.errors import ModelError, reason_of

__all__ = ["allocate", "has_free_size", "open_interpreter", "read_tensors"]

_NODE = re.compile(r"Node number \d+ \((\w+)\)")


def open_interpreter(path: Path, threads: int) -> Any:
    """Open a LiteRT interpreter and allocate its tensors.

    If the network accepts images of any size, the tensors are not allocated: its input has to be resized first. Raises
    ModelError with the interpreter's reason.
    """
    try:
        interpreter = _interpreter_class()(**_name_or_read(path), num_threads=max(1, threads))
    except (ValueError, RuntimeError) as error:
        raise _explain(path, error) from error
    if not any(map(has_free_size, read_tensors(interpreter, path)[0])):
        allocate(interpreter, path)
    return interpreter


def read_tensors(interpreter: Any, path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read the details of the input and the output tensors. Raises ModelError if they are damaged."""
    try:
        return interpreter.get_input_details(), interpreter.get_output_details()
    except (ValueError, RuntimeError) as error:  # such as a name that is not UTF-8
        raise _explain(path, error) from error


def has_free_size(tensor: dict[str, Any]) -> bool:
    """Return whether a tensor leaves dimensions other than the batch open.

    ``tensor`` is from the interpreter's tensor details.
    """
    return any(length < 0 for length in tensor["shape_signature"][1:])


def allocate(interpreter: Any, path: Path) -> None:
    """Allocate the tensors. Raises ModelError with the interpreter's reason."""
    try:
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise _explain(path, error) from error


def _name_or_read(path: Path) -> dict[str, Any]:
    """Return the interpreter's argument for a model file."""
    try:
        str(path).encode()
    except UnicodeEncodeError:  # LiteRT only opens files whose names are UTF-8
        return {"model_content": path.read_bytes()}
    return {"model_path": str(path)}


def _explain(path: Path, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())
    operator = _NODE.search(reason)
    if "Select TensorFlow op" in reason or "unresolved custom op" in reason:
        what = "TensorFlow operators" if "Select TensorFlow op" in reason else "custom operators"
        return ModelError(
            f"{path}: the model needs {what} that are not built into TFLite"
            f"{f' ({operator[1]} and perhaps others)' if operator else ''}; replace the layers that use them and "
            "convert with tf.lite.OpsSet.TFLITE_BUILTINS only"
        )
    return ModelError(
        f"{path}: the interpreter rejected the model: {reason_of(reason)}; "
        "the file may be truncated or made for a newer LiteRT: copy it again, or convert the network again"
    )


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:
        try:
            # There is no LiteRT wheel for 32-bit ARM; the last tflite-runtime has the same class.
            from tflite_runtime.interpreter import Interpreter
        except ModuleNotFoundError:
            raise ModelError(
                "LiteRT is not installed; install it with: pip install ai-edge-litert "
                "(on 32-bit ARM: tflite-runtime and numpy<2, on Python 3.11)"
            ) from None
    return Interpreter
