"""Estimate how many faces per camera frame each measured model can classify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fer_edge.benchmark.models import Measurement
from fer_edge.models.find_model import ModelFile

__all__ = [
    "CAMERA_FPS",
    "ENOUGH_FACES",
    "FrameBudget",
    "choose_affordable",
    "find_common_split",
    "measure_budgets",
]

CAMERA_FPS: Final = 30
"""The rate at which most cameras deliver frames."""
ENOUGH_FACES: Final = 2
"""A model keeps up with a camera if it has time for this many faces per frame."""


@dataclass(frozen=True, slots=True)
class FrameBudget:
    """The number of faces that a model can classify per frame of a camera.

    The camera delivers :data:`CAMERA_FPS` frames a second. ``faces`` maps the number of threads to the number of
    faces, 0 if the measured frames took longer than a camera's. ``face_ms`` is the median time of one inference
    on one thread, in milliseconds.
    """

    name: str
    model: ModelFile
    face_ms: float
    faces: dict[int, int]

    @property
    def most_faces(self) -> int:
        """The number of faces on the largest measured number of threads."""
        return self.faces[max(self.faces)]


def measure_budgets(measurements: Sequence[Measurement]) -> list[FrameBudget]:
    """Compute each model's budget, on one thread and on the most threads measured."""
    budgets = []
    for name in dict.fromkeys(m.name for m in measurements):
        own = sorted((m for m in measurements if m.name == name), key=lambda m: m.threads)
        single = own[0].inference_ms
        faces = {m.threads: _count_faces(m, single) for m in (own[0], own[-1])}
        budgets.append(FrameBudget(name, own[0].model, single, faces))
    return budgets


def _count_faces(measured: Measurement, face_ms: float) -> int:
    """Return the faces in the measured frames plus those that fit into the time left.

    Additional faces are assumed to be classified one after another, which underestimates rather than overestimates.
    """
    left_ms = 1000 / CAMERA_FPS - 1000 / measured.fps
    if left_ms < 0:
        return 0
    return round(measured.faces / measured.frames) + int(left_ms / face_ms)


def find_common_split(budgets: Sequence[FrameBudget]) -> str | None:
    """Return a split for which every model's accuracy is known, or None."""
    splits = [
        [split for split in budget.model.spec.accuracy if _get_accuracy(budget, split)] for budget in budgets
    ]
    return next((split for split in splits[0] if all(split in others for others in splits)), None)


def _get_accuracy(budget: FrameBudget, split: str) -> float:
    figures = budget.model.spec.accuracy[split]
    accuracy = figures.get("accuracy") if isinstance(figures, dict) else None
    return accuracy if isinstance(accuracy, float) else 0.0


def choose_affordable(budgets: Sequence[FrameBudget], split: str) -> tuple[FrameBudget, str]:
    """Choose the most accurate model that keeps up with a camera, or else the fastest.

    Also returns the reason in one line.
    """
    ranked = sorted(budgets, key=lambda budget: (-_get_accuracy(budget, split), budget.face_ms))
    fastest = min(budgets, key=lambda budget: budget.face_ms)
    chosen = next((budget for budget in ranked if budget.most_faces >= ENOUGH_FACES), fastest)
    camera = f"in each frame of a camera at {CAMERA_FPS} frames a second"
    best, second = ranked[:2]
    if _get_accuracy(best, split) == _get_accuracy(second, split) and chosen is best:
        return chosen, f"it is as accurate as {second.name} and has time for {_format_faces(chosen)} {camera}"
    if chosen is best:
        return chosen, (
            f"it is correct more often than {second.name} ({_format_comparison(chosen, second, split)}) and has "
            f"time for {_format_faces(chosen)} {camera}"
        )
    return chosen, (
        f"{best.name} is correct more often ({_format_comparison(best, chosen, split)}) but has time for "
        f"{_format_faces(best)} {camera}; use it for images and recorded videos"
    )


def _format_comparison(one: FrameBudget, other: FrameBudget, split: str) -> str:
    shares = [f"{100 * _get_accuracy(budget, split):.1f}" for budget in (one, other)]
    return f"{shares[0]} vs. {shares[1]} % on {split}"


def _format_faces(budget: FrameBudget) -> str:
    count = budget.most_faces
    return "no face" if not count else f"{count:,} face{'' if count == 1 else 's'}"
