"""Whether a machine computes in bfloat16, or only pretends to."""

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
    """Return the recipe, in float32 where this machine has no bfloat16: emulated, it takes four times as long."""
    if not recipe.bfloat16 or has_bfloat16():
        return recipe
    _LOG.info("computing in float32: this machine has no bfloat16")
    return replace(recipe, bfloat16=False)


def has_bfloat16(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether the processor has instructions for bfloat16, by what Linux says of it, or TensorFlow has a GPU."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        text = ""
    return _FEATURES.search(text) is not None or _has_gpu()


def _has_gpu() -> bool:
    """Whether TensorFlow, the default backend, computes on a GPU."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))
