"""fer-edge: facial emotion recognition for the edge.

The public names load when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fer_edge._version import __version__

if TYPE_CHECKING:
    from fer_edge.classifier import Classifier
    from fer_edge.drawing import annotate
    from fer_edge.errors import FerEdgeError
    from fer_edge.recognizer import EmotionRecognizer
    from fer_edge.results import EmotionScores, FaceBox, FaceResult, Frame, FrameResult
    from fer_edge.spec import ModelSpec

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
]

_MODULES = {
    "Classifier": "classifier",
    "EmotionRecognizer": "recognizer",
    "EmotionScores": "results",
    "FaceBox": "results",
    "FaceResult": "results",
    "FerEdgeError": "errors",
    "Frame": "results",
    "FrameResult": "results",
    "ModelSpec": "spec",
    "annotate": "drawing",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'fer_edge' has no attribute {name!r}")
    return getattr(importlib.import_module(f"fer_edge.{_MODULES[name]}"), name)
