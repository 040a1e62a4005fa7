"""The type of an architecture: a function that builds a network, and its purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import keras

__all__ = ["Architecture", "BuildNetwork"]


class BuildNetwork(Protocol):
    """Function that builds an untrained network."""

    def __call__(self, labels: int, *, pixel_std: float = 64.0, dropout: float | None = None) -> keras.Model:
        """Build an uncompiled ``keras.Model``.

        Its input is float32 (batch, 48, 48, 1), normalized as described in :mod:`fer_edge.models.spec`, its output
        float32 (batch, labels) probabilities. The layer before the softmax is a ``Dense`` layer named ``logits``.
        ``pixel_std`` is the standard deviation of the mean-free training pixels, in gray levels; ``dropout`` is the
        dropout rate before the last layer, None for the network's default. Import Keras in this function, not in the
        module.
        """


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that can be trained: its build function and one line on its purpose."""

    build: BuildNetwork
    purpose: str
