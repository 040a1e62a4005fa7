"""How the layers of a Keras network hang together, for what changes them before conversion."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

__all__ = ["is_merged", "sources", "users"]


def sources(layer: Any) -> list[Any]:
    """The layers whose outputs a layer takes in."""
    return [node.operation for node in layer._inbound_nodes[0].parent_nodes]


def users(layer: Any) -> list[Any]:
    """The layers that take in a layer's output."""
    return [node.operation for node in layer._outbound_nodes]


def is_merged(norm: Any) -> bool:
    """Whether the converter merges a batch normalisation into the convolution before it.

    Elsewhere it stays a product with a vector and a sum, each with one scale for all channels in int8.
    """
    (source,) = sources(norm)
    is_linear = getattr(source, "activation", None) is keras.activations.linear
    return isinstance(source, layers.Conv2D | layers.Dense) and is_linear and users(source) == [norm]
