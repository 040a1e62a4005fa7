"""Choice between bfloat16 and float32, by what the hardware supports."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from fer_train.training.recipes import Recipe

__all__ = ["choose_precision", "has_bfloat16"]

_LOG: Final = logging.getLogger(__name__)
_CPUINFO: Final = Path("/proc/cpuinfo")
_FEATURES: Final = re.compile(r"^(?:flags|Features)\s*:.*\b(?:avx512_bf16|amx_bf16|bf16)\b", re.MULTILINE)


def choose_precision(recipe: Recipe) -> Recipe:
    """Return the recipe, in float32 if this machine lacks bfloat16 instructions.

    Emulated bfloat16 takes four times as long.
    """
    if not recipe.bfloat16 or has_bfloat16():
        return recipe
    _LOG.info("computing in float32: this machine has no bfloat16 instructions")
    return replace(recipe, bfloat16=False)


def has_bfloat16(cpuinfo: Path = _CPUINFO) -> bool:
    """Return whether the CPU has bfloat16 instructions or TensorFlow has a GPU.

    Linux reports the instructions in ``/proc/cpuinfo``.
    """
    try:
        text = cpuinfo.read_text()
    except OSError:
        text = ""
    return _FEATURES.search(text) is not None or _has_gpu()


def _has_gpu() -> bool:
    """Return whether Keras uses TensorFlow, the default backend, with a GPU."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))
