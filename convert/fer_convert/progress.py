"""How long tasks report their progress to whatever displays it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Progress", "StepProgress", "no_progress"]

StepProgress = Callable[[Iterable[Any]], Iterable[Any]]
"""Wraps the steps of one long task and yields them unchanged."""

Progress = Callable[[str, Iterable[Any]], Iterable[Any]]
"""Like :data:`StepProgress`, with the name of the task as the first argument."""


def no_progress(task: str, steps: Iterable[Any]) -> Iterable[Any]:
    """Return the steps of ``task`` as they are; nothing is displayed."""
    return steps
