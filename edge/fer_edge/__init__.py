"""Facial emotion recognition on edge devices.

Public names are imported on first use, so importing the package is cheap. docs/python.md describes the interface
and which parts of it are stable.

>>> import fer_edge
>>> with fer_edge.EmotionRecognizer() as recognizer:
...     print([face.emotion for face in recognizer.analyze("face.jpg")])
['neutral']
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from fer_edge._version import __version__

if TYPE_CHECKING:
    from fer_edge.classification.classifier import Classifier
    from fer_edge.detectors.base import Detector, DetectorTraits
    from fer_edge.errors import (
        AccuracyLossError,
        ClusterError,
        ContractError,
        ConversionError,
        DataError,
        DetectorError,
        DownloadError,
        FerEdgeError,
        MissingExtraError,
        ModelError,
        OutputError,
        PluginError,
        RunError,
        SourceError,
        SourceLostError,
        UsageError,
    )
    from fer_edge.models.spec import ModelSpec
    from fer_edge.recognizer import EmotionRecognizer
    from fer_edge.rendering.annotate import annotate
    from fer_edge.rendering.view import View
    from fer_edge.reports.results import read_results
    from fer_edge.result_stream import ResultStream
    from fer_edge.sinks.base import Sink
    from fer_edge.sources.base import Source
    from fer_edge.statistics import RunStatistics
    from fer_edge.types import (
        Detection,
        Discontinuity,
        EmotionScores,
        FaceBox,
        FaceResult,
        Frame,
        FrameResult,
        SkippedInput,
        StreamInfo,
    )

__all__ = [
    "AccuracyLossError",
    "Classifier",
    "ClusterError",
    "ContractError",
    "ConversionError",
    "DataError",
    "Detection",
    "Detector",
    "DetectorError",
    "DetectorTraits",
    "Discontinuity",
    "DownloadError",
    "EmotionRecognizer",
    "EmotionScores",
    "FaceBox",
    "FaceResult",
    "FerEdgeError",
    "Frame",
    "FrameResult",
    "MissingExtraError",
    "ModelError",
    "ModelSpec",
    "OutputError",
    "PluginError",
    "ResultStream",
    "RunError",
    "RunStatistics",
    "Sink",
    "SkippedInput",
    "Source",
    "SourceError",
    "SourceLostError",
    "StreamInfo",
    "UsageError",
    "View",
    "__version__",
    "annotate",
    "read_results",
]

_MODULES = {
    "AccuracyLossError": "errors",
    "Classifier": "classification.classifier",
    "ClusterError": "errors",
    "ContractError": "errors",
    "ConversionError": "errors",
    "DataError": "errors",
    "Detection": "types",
    "Detector": "detectors.base",
    "DetectorError": "errors",
    "DetectorTraits": "detectors.base",
    "Discontinuity": "types",
    "DownloadError": "errors",
    "EmotionRecognizer": "recognizer",
    "EmotionScores": "types",
    "FaceBox": "types",
    "FaceResult": "types",
    "FerEdgeError": "errors",
    "Frame": "types",
    "FrameResult": "types",
    "MissingExtraError": "errors",
    "ModelError": "errors",
    "ModelSpec": "models.spec",
    "OutputError": "errors",
    "PluginError": "errors",
    "ResultStream": "result_stream",
    "RunError": "errors",
    "RunStatistics": "statistics",
    "Sink": "sinks.base",
    "SkippedInput": "types",
    "Source": "sources.base",
    "SourceError": "errors",
    "SourceLostError": "errors",
    "StreamInfo": "types",
    "UsageError": "errors",
    "View": "rendering.view",
    "annotate": "rendering.annotate",
    "read_results": "reports.results",
}


# Without this handler, Python prints the library's warnings when the application has not configured logging.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'fer_edge' has no attribute {name!r}")
    return getattr(importlib.import_module(f"fer_edge.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
