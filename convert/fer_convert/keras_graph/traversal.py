"""Neighboring layers in the graph of a Keras network."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

__all__ = ["find_sources", "find_users", "is_merged"]


def find_sources(layer: Any) -> list[Any]:
    """Find the layers whose outputs are the inputs of ``layer``."""
    return [node.operation for node in layer._inbound_nodes[0].parent_nodes]


def find_users(layer: Any) -> list[Any]:
    """Find the layers that use the output of ``layer``."""
    return [node.operation for node in layer._outbound_nodes]


def is_merged(norm: Any) -> bool:
    """Return whether the converter merges a batch norm into the layer before it.

    A norm that is not merged becomes a multiplication and an addition in the file. In int8, each of these two tensors
    has a single scale for all channels.
    """
    (source,) = find_sources(norm)
    is_linear = getattr(source, "activation", None) is keras.activations.linear
    return isinstance(source, layers.Conv2D | layers.Dense) and is_linear and find_users(source) == [norm]
