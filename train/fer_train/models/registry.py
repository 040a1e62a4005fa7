"""Registry of the architectures.

Another package can add an architecture through an entry point in the group ``fer_train.architectures`` that names an
:class:`~fer_train.models.architecture.Architecture`, such as ``my-net = "my_package.my_net:ARCHITECTURE"``.
"""

from __future__ import annotations

from typing import Final

from fer_edge.runtime.registry import Registry
from fer_train.models.architecture import Architecture

__all__ = ["ARCHITECTURES"]

ARCHITECTURES: Final[Registry[Architecture]] = Registry(
    "architecture",
    "fer_train.architectures",
    {
        "bn-cnn": "fer_train.models.bn_cnn:ARCHITECTURE",
        "mini-resnet": "fer_train.models.residual:MINI",
        "deep-resnet": "fer_train.models.residual:DEEP",
    },
)
