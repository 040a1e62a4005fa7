"""fer-edge: facial emotion recognition for the edge.

The public names load when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from fer_edge._version import __version__

if TYPE_CHECKING:
    from fer_edge.classification.classifier import Classifier
    from fer_edge.errors import FerEdgeError
    from fer_edge.models.spec import ModelSpec
    from fer_edge.recognizer import EmotionRecognizer
    from fer_edge.rendering.annotate import annotate
    from fer_edge.reports.results import read_results
    from fer_edge.types import EmotionScores, FaceBox, FaceResult, Frame, FrameResult

__all__ = [
    "Classifier",
    "EmotionRecognizer",
    "EmotionScores",
    "FaceBox",
    "FaceResult",
    "FerEdgeError",
    "Frame",
    "FrameResult",
    "ModelSpec",
    "__version__",
    "annotate",
    "read_results",
]

_MODULES = {
    "Classifier": "classification.classifier",
    "EmotionRecognizer": "recognizer",
    "EmotionScores": "types",
    "FaceBox": "types",
    "FaceResult": "types",
    "FerEdgeError": "errors",
    "Frame": "types",
    "FrameResult": "types",
    "ModelSpec": "models.spec",
    "annotate": "rendering.annotate",
    "read_results": "reports.results",
}


# The library logs; where nobody listens, it is silent.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'fer_edge' has no attribute {name!r}")
    return getattr(importlib.import_module(f"fer_edge.{_MODULES[name]}"), name)
