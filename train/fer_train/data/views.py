"""A fixed set of augmented views of every training face.

Teachers predict each view once. Students then train on exactly these views for many epochs (L. Beyer et al.,
"Knowledge distillation: A good teacher is patient and consistent", 2022). A view is a function of (seed, view, face):
it is the same on every machine and does not depend on the order in which views are made.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Self, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_train.data.augmentation import Augmentation, augment

__all__ = ["VIEWS_VERSION", "ViewMaker", "ViewSettings", "Views", "make_views"]

VIEWS_VERSION: Final = 1
"""Version of the views; increase it when the same faces, settings and seed give different views."""

_T = TypeVar("_T")
_STRONG = Augmentation(rotation=15.0, shift=0.1, scale=0.18, contrast=0.3, brightness=25.0, erase=0.25)
_MILD = Augmentation(rotation=7.0, shift=0.05, scale=0.08, contrast=0.15, brightness=12.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSettings:
    """Number and augmentation of the views.

    The first ``strong_count`` views are augmented with ``strong``, the other ``mild_count`` views with ``mild``.
    ``blur`` is the probability of a blur as in an enlarged small face; it is halved for mild views. ``mix`` is the
    probability that a strong view is mixed with another face, whose share is at most a half.
    """

    strong_count: int = 12
    mild_count: int = 4
    strong: Augmentation = field(default=_STRONG)
    mild: Augmentation = field(default=_MILD)
    blur: float = 0.2
    mix: float = 0.5

    @property
    def count(self) -> int:
        """Number of views of each face."""
        return self.strong_count + self.mild_count

    def as_dict(self) -> dict[str, Any]:
        """Return all settings as JSON values, which :meth:`from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Build settings from the complete output of :meth:`as_dict`.

        Raises ValueError otherwise.
        """
        changes = {name: _read_fields(Augmentation, stored[name]) for name in ("strong", "mild")}
        settings = _read_fields(cls, {**stored, **changes})
        if settings.count < 1:
            raise ValueError("its settings define no views")
        return settings


def _read_fields(kind: type[_T], stored: dict[str, Any]) -> _T:
    """Build settings from numbers stored by name; raises ValueError for anything else."""
    default = kind()
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    if set(stored) != names:
        raise ValueError(
            f"its settings have missing or unknown fields: {', '.join(sorted(names ^ set(stored)))}"
        )
    for name, value in stored.items():
        usual = getattr(default, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(usual, float) and number:
            fits = math.isfinite(value) and value >= 0
        else:
            fits = type(value) is type(usual) and (not isinstance(value, int) or value >= 0)
        if not fits:
            raise ValueError(f"its setting {name} is {value!r}")
    return kind(**stored)


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """One view of each of m faces, selected from a data set of n faces.

    ``pixels`` is uint8 (m, height, width). ``faces``, int64 (m,), are the indices of the faces among the n.
    ``shares``, float32 (m,), are the shares of the faces themselves, 0.5…1; the rest comes from the faces with the
    indices ``partners``, int64 (m,).
    """

    pixels: NDArray[np.uint8]
    faces: NDArray[np.int64]
    shares: NDArray[np.float32]
    partners: NDArray[np.int64]

    def mix(self, targets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mix targets, float32 (n, …), as the views mix the faces: float32 (m, …).

        ``targets`` are those of all n faces.
        """
        shares = self.shares.reshape(-1, *[1] * (targets.ndim - 1))
        return shares * targets[self.faces] + (1 - shares) * targets[self.partners]

    def ignore_partners(self, ignored: NDArray[np.bool_]) -> Views:
        """Return the views, ignoring the given partners, bool (n,), when mixing targets.

        A view with an ignored partner gets the targets of its face only.
        """
        return replace(self, partners=np.where(ignored[self.partners], self.faces, self.partners))


class ViewMaker:
    """Makes view number ``view`` of any of the given faces.

    ``pixels`` is uint8 (n, height, width). With ``groups``, (n,), faces are mixed only with others of the same group,
    so that a teacher trained without a group has seen no part of its views. Raises ValueError for a view number beyond
    those in ``settings``.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        view: int,
        *,
        seed: int = 0,
        settings: ViewSettings | None = None,
        groups: NDArray[np.integer[Any]] | None = None,
    ) -> None:
        self._settings = settings or ViewSettings()
        if not 0 <= view < self._settings.count:
            raise ValueError(f"view must be 0 to {self._settings.count - 1}, but got {view}")
        self._pixels, self._view, self._seed = pixels, view, seed
        self._partners = _choose_partners(len(pixels), groups, np.random.default_rng((seed, view)))

    def make(self, faces: NDArray[np.int64]) -> Views:
        """Make the view of the faces with the given indices, int64 (m,)."""
        made = np.empty((len(faces), *self._pixels.shape[1:]), np.uint8)
        shares, partners = np.ones(len(faces), np.float32), self._partners[faces]
        for index, (face, partner) in enumerate(zip(faces.tolist(), partners.tolist(), strict=True)):
            rng = np.random.default_rng((self._seed, self._view, face))
            made[index], shares[index] = _make_view(
                self._pixels[face], self._pixels[partner], self._view, self._settings, rng
            )
        return Views(made, faces, shares, partners)


def make_views(
    pixels: NDArray[np.uint8],
    view: int,
    *,
    seed: int = 0,
    settings: ViewSettings | None = None,
    groups: NDArray[np.integer[Any]] | None = None,
) -> Views:
    """Make a view of all faces with a :class:`ViewMaker`."""
    return ViewMaker(pixels, view, seed=seed, settings=settings, groups=groups).make(np.arange(len(pixels)))


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
    """Shrink a face to ``side`` pixels and enlarge it again, like a distant face."""
    height, width = face.shape
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
