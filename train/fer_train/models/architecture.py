"""What an architecture is: how a network is built, and what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import keras

__all__ = ["Architecture", "BuildNetwork"]


class BuildNetwork(Protocol):
    """Builds an untrained network."""

    def __call__(self, labels: int, *, pixel_std: float = 64.0, dropout: float | None = None) -> keras.Model:
        """Return an uncompiled ``keras.Model``.

        From float32 (batch, 48, 48, 1), normalized as :mod:`fer_edge.models.spec` says, to float32 (batch,
        labels) probabilities. The layer before its softmax is a ``Dense`` named ``logits``. ``pixel_std`` is the
        standard deviation of the mean-free training pixels, in gray levels; ``dropout`` the share of features
        dropped before the last layer, None for the network's own. Keras is imported here, not by the module.
        """


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that can be trained: the function that builds it, and a line on what it is for."""

    build: BuildNetwork
    purpose: str
