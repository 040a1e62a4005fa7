"""A fixed set of views of every training face.

Teachers are asked about each view once, and their answers kept; pupils then train on exactly those views for
as long as they gain (L. Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", 2022).
A view is a function of (seed, view, face): the same on every machine, in whatever order views are made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_train.data.augmentation import Augmentation, augment

__all__ = ["ViewSettings", "Views", "make_views"]

_STRONG = Augmentation(rotation=15.0, shift=0.1, scale=0.18, contrast=0.3, brightness=25.0, erase=0.25)
_MILD = Augmentation(rotation=7.0, shift=0.05, scale=0.08, contrast=0.15, brightness=12.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSettings:
    """How many views there are, and how far they are from the face.

    The first ``strong_count`` views are changed by ``strong``, the others, ``mild_count`` of them, by ``mild``.
    ``blur`` is the probability of the blur of a small face, enlarged; half as much in mild views. ``mix`` is
    the probability that a strong view is mixed with another face's, whose share is at most a half.
    """

    strong_count: int = 12
    mild_count: int = 4
    strong: Augmentation = field(default=_STRONG)
    mild: Augmentation = field(default=_MILD)
    blur: float = 0.2
    mix: float = 0.5

    @property
    def count(self) -> int:
        """All views of a face."""
        return self.strong_count + self.mild_count


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """One view of each of n faces.

    ``pixels``: uint8 (n, height, width). ``shares``: float32 (n,), how much of each is the face itself, 0.5…1;
    the rest is of the face ``partners`` names, int64 (n,).
    """

    pixels: NDArray[np.uint8]
    shares: NDArray[np.float32]
    partners: NDArray[np.int64]

    def mix(self, targets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mix the faces' targets, float32 (n, classes), as the views mix the faces."""
        shares = self.shares[:, None]
        return shares * targets + (1 - shares) * targets[self.partners]


def make_views(
    pixels: NDArray[np.uint8],
    view: int,
    *,
    seed: int = 0,
    settings: ViewSettings | None = None,
    groups: NDArray[np.integer[Any]] | None = None,
) -> Views:
    """Make view number ``view`` of uint8 (n, height, width) faces.

    With ``groups``, (n,), faces are only mixed with others of their own group, so that a teacher that learned
    without a group has seen nothing of its views. Raises ValueError for a number that ``settings`` do not have.
    """
    settings = settings or ViewSettings()
    if not 0 <= view < settings.count:
        raise ValueError(f"view must be 0 to {settings.count - 1}, but got {view}")
    partners = _choose_partners(len(pixels), groups, np.random.default_rng((seed, view)))
    made, shares = np.empty_like(pixels), np.ones(len(pixels), np.float32)
    for face in range(len(pixels)):
        rng = np.random.default_rng((seed, view, face))
        made[face], shares[face] = _make_view(pixels[face], pixels[partners[face]], view, settings, rng)
    return Views(made, shares, partners)


def _choose_partners(
    count: int, groups: NDArray[np.integer[Any]] | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    if groups is None:
        return rng.permutation(count)
    partners = np.empty(count, np.int64)
    for group in np.unique(groups):
        (members,) = np.nonzero(groups == group)
        partners[members] = rng.permutation(members)
    return partners


def _make_view(
    face: NDArray[np.uint8],
    partner: NDArray[np.uint8],
    view: int,
    settings: ViewSettings,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], float]:
    strong = view < settings.strong_count
    changes = settings.strong if strong else settings.mild
    (seen,) = augment(face[None], changes, rng)
    if rng.random() < (settings.blur if strong else settings.blur / 2):
        seen = _blur(seen, int(rng.integers(18, 40)))
    if not strong or rng.random() >= settings.mix:
        return seen, 1.0
    (other,) = augment(partner[None], changes, rng)
    share = float(1 - rng.beta(0.4, 0.4) / 2)
    mixed = share * seen.astype(np.float32) + (1 - share) * other.astype(np.float32)
    return np.rint(mixed).astype(np.uint8), share


def _blur(face: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The face as a camera sees a small one: ``side`` pixels wide, enlarged again."""
    height, width = face.shape
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
