"""View answers: teachers' predictions for fixed views of each training face.

A network that learns from them gets exactly the views that the teachers predicted, including mixed ones, for many
epochs (L. Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", 2022). It can train on any
machine, without the teachers. The file contains a hash of each face, but no faces. The order of the faces matters,
because their views depend on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import RunError
from fer_edge.runtime.zip_files import ZIP_DAMAGE, open_zip
from fer_train.data.dataset import FaceDataset
from fer_train.data.face_hashes import hash_faces
from fer_train.data.views import VIEWS_VERSION, ViewMaker, Views, ViewSettings, make_views
from fer_train.models.loading import Predictor
from fer_train.models.prediction import Progress, no_progress, predict
from fer_train.objectives.answer_files import (
    check_keys,
    check_labels,
    check_size,
    is_answer_file,
    read_answer_file,
    write_answer_file,
)
from fer_train.objectives.teachers import TeacherEnsemble, describe_teachers

__all__ = [
    "ViewAnswers",
    "compute_view_answers",
    "encode_probabilities",
    "is_view_answers",
    "read_view_answers",
    "write_view_answers",
]

_KIND: Final = "view answers"
_ARRAY: Final = "view_answers"
_LEVELS: Final = 255  # the integer for a probability of 1
_MAX_LABELS: Final = 100  # the limit for data sets as well
_MAX_SEED: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewAnswers:
    """Softened probabilities of all views of n faces.

    ``keys``, uint64 (n,), are the hashes of the faces, in the order of the faces. ``groups`` is uint8 (n,); views mix
    only faces of the same group. ``probabilities`` is uint8 (n, views, labels): the probabilities at ``temperature``,
    times 255. ``seed`` and ``settings`` define the views. ``origin`` names the networks that predicted them, for the
    provenance of models trained with them.
    """

    labels: tuple[str, ...]
    keys: NDArray[np.uint64]
    groups: NDArray[np.uint8]
    probabilities: NDArray[np.uint8]
    temperature: float
    seed: int
    settings: ViewSettings
    origin: str

    def __len__(self) -> int:
        return len(self.keys)

    def get_probabilities(self, view: int) -> NDArray[np.float32]:
        """Return the softened probabilities of a view, float32 (n, labels); rows sum to 1."""
        levels = self.probabilities[:, view].astype(np.float32)
        return np.asarray(levels / levels.sum(axis=1, keepdims=True), np.float32)

    def view_maker(self, pixels: NDArray[np.uint8], view: int) -> ViewMaker:
        """Return the maker of a view of the faces.

        ``pixels``, uint8 (n, height, width), are the faces in the order of ``keys``.
        """
        return ViewMaker(pixels, view, seed=self.seed, settings=self.settings, groups=self.groups)

    def make_views(self, pixels: NDArray[np.uint8], view: int) -> Views:
        """Make a view of all faces."""
        return self.view_maker(pixels, view).make(np.arange(len(pixels)))


def encode_probabilities(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Encode probabilities, float (…, labels), as uint8 for :class:`ViewAnswers`."""
    return np.asarray(np.rint(_LEVELS * probabilities), np.uint8)


def compute_view_answers(
    faces: FaceDataset,
    networks: Sequence[Predictor],
    settings: ViewSettings,
    *,
    temperature: float = 2.0,
    seed: int = 0,
    progress: Progress = no_progress,
) -> ViewAnswers:
    """Compute the mean probabilities of networks for all views of the faces.

    All networks have the labels of the faces, and all faces are in one group. ``progress`` wraps the views. Raises
    DataError if there are too many faces and views for a file.
    """
    check_size(len(faces) * (9 + settings.count * len(faces.label_names)), "use fewer views")
    ensemble = TeacherEnsemble(networks, temperature)
    probabilities = np.empty((len(faces), settings.count, len(faces.label_names)), np.uint8)
    for view in progress("Running the teachers", range(settings.count)):
        seen = make_views(faces.pixels, view, seed=seed, settings=settings).pixels
        probabilities[:, view] = encode_probabilities(predict(ensemble, seen))
    return ViewAnswers(
        labels=faces.label_names,
        keys=hash_faces(faces.pixels),
        groups=np.zeros(len(faces), np.uint8),
        probabilities=probabilities,
        temperature=temperature,
        seed=seed,
        settings=settings,
        origin=describe_teachers(networks),
    )


def is_view_answers(path: Path) -> bool:
    """Return whether a file contains view answers; False if it cannot be read."""
    if not is_answer_file(path):
        return False
    try:
        with open_zip(path) as archive:
            return f"{_ARRAY}.npy" in archive.namelist()
    except (OSError, *ZIP_DAMAGE):
        return False


def write_view_answers(path: Path, answers: ViewAnswers) -> None:
    """Write view answers to a file whose name ends in ``.npz``; raises OutputError."""
    about = {
        "labels": answers.labels,
        "temperature": answers.temperature,
        "seed": answers.seed,
        "settings": answers.settings.as_dict(),
        "views_version": VIEWS_VERSION,
        "origin": answers.origin,
    }
    write_answer_file(
        path,
        about,
        {"keys": answers.keys, "groups": answers.groups, _ARRAY: _pack(answers.probabilities)},
    )


def read_view_answers(path: Path, labels: tuple[str, ...]) -> ViewAnswers:
    """Read a file of view answers.

    Raises DataError for another file, RunError for other labels or for views of another version of fer-train.
    """

    def build(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ViewAnswers:
        if "views_version" not in about:
            raise ValueError("it contains soft labels without views")
        _check_version(path, about["views_version"])  # first, as other versions may have other settings
        return _build(about, arrays)

    answers = read_answer_file(path, _KIND, build)
    check_labels(path, _KIND, answers.labels, labels)
    return answers


def _check_version(path: Path, version: Any) -> None:
    if type(version) is not int:
        raise ValueError(f"its views have the version {version!r}")
    if version != VIEWS_VERSION:
        remedy = "create the file again" if version < VIEWS_VERSION else "update fer-edge"
        raise RunError(
            f"{path}: expected view answers of version {VIEWS_VERSION}, got version {version}; {remedy}",
            hint="use: fer-train soft-labels --views N" if version < VIEWS_VERSION else None,
        )


def _build(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ViewAnswers:
    """Build view answers from a file's content.

    Raises ValueError, KeyError or TypeError.
    """
    answers = ViewAnswers(
        labels=tuple(about["labels"]),
        keys=arrays["keys"],
        groups=arrays["groups"],
        probabilities=_unpack(arrays[_ARRAY]),
        temperature=about["temperature"],
        seed=about["seed"],
        settings=ViewSettings.from_dict(about["settings"]),
        origin=str(about["origin"]),
    )
    _check(answers)
    return answers


def _check(answers: ViewAnswers) -> None:
    """Raise ValueError unless all parts are valid and match each other."""
    count, labels = len(answers.keys), answers.labels
    check_keys(answers.keys)
    if not 2 <= len(labels) <= _MAX_LABELS or not all(isinstance(label, str) for label in labels):
        raise ValueError("its labels are not 2 to 100 names")
    if answers.groups.dtype != np.uint8 or answers.groups.shape != (count,):
        raise ValueError(f"its groups are {answers.groups.dtype} {answers.groups.shape}")
    wanted = (count, answers.settings.count, len(labels))
    if answers.probabilities.shape != wanted:
        raise ValueError(f"its probabilities have the shape {answers.probabilities.shape}, not {wanted}")
    temperature, seed = answers.temperature, answers.seed
    if not isinstance(temperature, float) or not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"its temperature is {temperature!r}")
    if type(seed) is not int or not 0 <= seed <= _MAX_SEED:
        raise ValueError(f"its seed is {seed!r}")
    sums = answers.probabilities.sum(axis=2, dtype=np.int64)
    if (abs(sums - _LEVELS) > len(labels) / 2).any():  # each may be rounded by half a level
        raise ValueError("its rows are not probabilities")


def _pack(probabilities: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rearrange probabilities so that they compress better.

    They are uint8 (n, views, labels) before and (labels, n, views) after. For the last label, the difference to 255
    minus the other labels is stored, which is nearly always 0 or 1.
    """
    rest = _LEVELS - probabilities[..., :-1].sum(axis=2, dtype=np.uint8)
    packed = np.moveaxis(probabilities, 2, 0).copy()
    packed[-1] -= rest
    return packed


def _unpack(packed: NDArray[Any]) -> NDArray[np.uint8]:
    """Undo :func:`_pack`; raises ValueError for a wrong dtype or shape."""
    if packed.dtype != np.uint8 or packed.ndim != 3 or len(packed) < 2:
        raise ValueError(f"its probabilities are {packed.dtype} {packed.shape}")
    probabilities = np.ascontiguousarray(np.moveaxis(packed, 0, 2))
    probabilities[..., -1] += _LEVELS - probabilities[..., :-1].sum(axis=2, dtype=np.uint8)
    return probabilities
