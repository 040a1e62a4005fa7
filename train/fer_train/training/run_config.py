"""The configuration of a run, ``config.json``: what decides its outcome, and what it was made with."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fer_edge._version import __version__
from fer_edge.errors import RunError, UsageError, reason_of
from fer_edge.runtime.json_text import parse_json
from fer_train.data.augmentation import Augmentation
from fer_train.models.run_files import CONFIG_FILE
from fer_train.training.recipes import Recipe

__all__ = [
    "RunConfig",
    "build_config",
    "check_resume_compatible",
    "dump_recipe",
    "load_recipe",
    "read_config",
]

_STORED_NAMES: Final = {"flip_only_epochs": "plain_epochs", "crop_mode": "framing"}
"""The names that ``config.json`` has for fields of a recipe."""
_OPTION_NAMES: Final = {"teachers": "--teacher", "objectives": "--objective"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """What decides the outcome of a run besides the data: stored in ``config.json``, obeyed by ``--resume``.

    ``epochs``, ``batch_size`` and ``mixup`` are those of the run, whether asked for or the recipe's.
    ``limit`` keeps that many faces of each split. ``votes`` is the absolute path of FER+'s votes,
    ``teachers`` are those of the models that are taught from, or bundled models' names. ``fold``, such as
    ``1/5``, is the one of Training that is measured on. ``objectives`` are those of other packages.
    """

    arch: str
    recipe: str
    epochs: int
    batch_size: int
    seed: int = 0
    limit: int | None = None
    votes: str | None = None
    labels: str = "fer"
    class_weights: str = "none"
    teachers: Sequence[str] = ()
    mixup: float = 0.0
    fold: str | None = None
    objectives: Sequence[str] = ()


def build_config(config: RunConfig, recipe: Recipe, data: Path, digest: str) -> dict[str, Any]:
    """Build the content of ``config.json``; ``data`` is absolute, ``digest`` that of the faces."""
    import keras

    backend = keras.backend.backend()
    return {
        "data": str(data),
        "data_sha256": digest,
        "options": asdict(config),
        "recipe": dump_recipe(recipe),
        "version": __version__,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "backend": backend,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("keras", backend, "numpy")},
        },
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    }


def read_config(folder: Path) -> dict[str, Any]:
    """Read a run folder's ``config.json``; raises RunError where there is none to resume by."""
    path = folder / CONFIG_FILE
    if not path.exists():
        raise RunError(
            f"{folder}: expected a run of fer-train to resume, found none; start it without --resume"
        )
    try:
        stored: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
        RunConfig(**stored["options"])
        load_recipe(stored["recipe"])
        _ = stored["data"], stored["data_sha256"], stored["backend"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{folder}: expected a run of fer-train to resume, cannot read its {CONFIG_FILE}: {reason_of(error)}"
        ) from error
    return stored


def dump_recipe(recipe: Recipe) -> dict[str, Any]:
    """Turn a recipe into what ``config.json`` holds of it."""
    return {_STORED_NAMES.get(name, name): value for name, value in asdict(recipe).items()}


def load_recipe(stored: dict[str, Any]) -> Recipe:
    """Turn back what :func:`dump_recipe` made; raises KeyError or TypeError for anything else."""
    names = {stored_name: name for name, stored_name in _STORED_NAMES.items()}
    settings = {names.get(name, name): value for name, value in dict(stored).items()}
    return Recipe(**{**settings, "augmentation": Augmentation(**settings["augmentation"])})


def check_resume_compatible(stored: dict[str, Any], asked: dict[str, Any], digest: str) -> None:
    """Hold what ``--resume`` was given against what the run was started with.

    ``stored`` is the content of ``config.json``, ``asked`` the options that were given expressly. Raises
    UsageError at a contradiction.
    """
    options = asdict(RunConfig(**stored["options"]))  # a run of an earlier version has fewer
    for name, value in asked.items():
        had, got = options[name], value
        if got != had:
            option = _OPTION_NAMES.get(name, "--" + name.replace("_", "-"))
            if name in _OPTION_NAMES:
                had, got = ", ".join(had) or None, ", ".join(got)
            before = f"without {option}" if had is None else f"{option} {had}"
            raise UsageError(
                f"expected the options the run was started with ({before}), got {option} {got}; "
                "leave it out, or start anew with --overwrite"
            )
    if digest != stored["data_sha256"]:
        raise UsageError(
            f"expected the data the run was started with ({stored['data']}), got others; "
            "name the same data, or start anew with --overwrite"
        )
    import keras

    if keras.backend.backend() != stored["backend"]:
        raise UsageError(
            f"expected the Keras backend the run was started with ({stored['backend']}), "
            f"got {keras.backend.backend()}; set KERAS_BACKEND={stored['backend']}"
        )
