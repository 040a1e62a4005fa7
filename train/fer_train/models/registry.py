"""The architectures, one file each.

A build function returns an uncompiled ``keras.Model`` from float32 (batch, 48, 48, 1), normalised as
:mod:`fer_edge.models.spec` says, to float32 (batch, labels) probabilities. Keras is imported when one is built.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fer_edge.errors import UsageError

if TYPE_CHECKING:
    import keras

__all__ = ["ARCHITECTURES", "Architecture", "architecture"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that can be trained: its name, the module and function that build it, and what it is for."""

    name: str
    builder: str
    purpose: str

    def build(self, labels: int, *, pixel_std: float = 64.0, dropout: float | None = None) -> keras.Model:
        """The untrained network; ``pixel_std`` is the training pixels' standard deviation (0…255)."""
        module, function = self.builder.split(":")
        build: Callable[..., keras.Model] = getattr(importlib.import_module(module), function)
        return build(labels, pixel_std=pixel_std, dropout=dropout)


ARCHITECTURES: Final = {
    arch.name: arch
    for arch in (
        Architecture(
            "bn-cnn", "fer_train.models.bn_cnn:build", "the 2018 reference network (Pham, figure 3), exactly"
        ),
        Architecture(
            "mini-resnet",
            "fer_train.models.residual:build_mini",
            "small residual network; what fer-edge bundles",
        ),
        Architecture(
            "deep-resnet",
            "fer_train.models.residual:build_deep",
            "twice as wide and three convolutions deep in each stage; a teacher for it",
        ),
    )
}


def architecture(name: str) -> Architecture:
    """The architecture of that name; raises UsageError naming those there are."""
    try:
        return ARCHITECTURES[name]
    except KeyError:
        raise UsageError(f"expected an architecture ({', '.join(ARCHITECTURES)}), got {name!r}") from None
