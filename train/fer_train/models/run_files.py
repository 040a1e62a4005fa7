"""Names of the files in a run folder."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CHECKPOINT_FILE",
    "CONFIG_FILE",
    "CONFUSION_FILE",
    "CURVES_FILE",
    "EVENTS_FOLDER",
    "HISTORY_FILE",
    "LABELS_FILE",
    "MODEL_FILE",
    "RELIABILITY_FILE",
    "REPORT_FILE",
    "RUN_FILES",
    "SPEC_FILE",
]

MODEL_FILE: Final = "model.keras"
SPEC_FILE: Final = "spec.json"
CONFIG_FILE: Final = "config.json"
HISTORY_FILE: Final = "history.csv"
CURVES_FILE: Final = "curves.png"
REPORT_FILE: Final = "report.json"
CONFUSION_FILE: Final = "confusion.png"
LABELS_FILE: Final = "labels.png"
RELIABILITY_FILE: Final = "reliability.png"
CHECKPOINT_FILE: Final = "checkpoint.npz"
EVENTS_FOLDER: Final = "tensorboard"
"""Folder of TensorBoard event files."""

RUN_FILES: Final = (
    MODEL_FILE,
    SPEC_FILE,
    CONFIG_FILE,
    HISTORY_FILE,
    CURVES_FILE,
    REPORT_FILE,
    CONFUSION_FILE,
    LABELS_FILE,
    RELIABILITY_FILE,
    CHECKPOINT_FILE,
)
"""All files of a run folder, without the folder of event files."""
