"""Warnings about the predictions of a network."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from fer_convert.verification.report import Metrics

__all__ = ["warn_about_predictions"]

_LOG: Final = logging.getLogger(__name__)


def warn_about_predictions(metrics: Metrics) -> None:
    """Warn if nearly all predictions are the same label."""
    from fer_train.data.checks import find_prediction_problems

    confusion = metrics["confusion"]
    for problem in find_prediction_problems(np.array(confusion["counts"]), tuple(confusion["labels"])):
        _LOG.warning("%s", problem)  # without the hint, which is about options of a training
