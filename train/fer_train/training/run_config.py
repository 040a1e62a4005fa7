"""The configuration of a run, ``config.json``: options, software and machine."""

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
"""Recipe fields whose names differ in ``config.json``."""
_OPTION_NAMES: Final = {"teachers": "teacher", "objectives": "objective", "initial": "from"}
_LISTS: Final = frozenset({"teachers", "objectives"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """All options that affect the result of a run.

    They are stored in ``config.json`` and reused on resume. ``epochs``, ``batch_size`` and ``mixup`` are the values
    used, from an option or from the recipe. ``limit`` is the number of faces kept of each split. ``votes`` is the
    absolute path of the FER+ votes; ``teachers`` lists the absolute paths or bundled names of the teachers. ``fold``,
    such as ``1/5``, is the fold of Training that is held out for evaluation. ``objectives`` lists objectives of other
    packages. ``initial`` is the absolute path or bundled name of the model whose weights the training starts from.
    ``val_share``, 0…1, is the share of faces held out of data without splits.
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
    initial: str | None = None
    val_share: float | None = None


def build_config(config: RunConfig, recipe: Recipe, data: Path, digest: str) -> dict[str, Any]:
    """Build the content of ``config.json``.

    ``data`` is an absolute path, ``digest`` the data's hash.
    """
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
    """Read ``config.json`` from a run folder.

    Raises RunError if it is missing or malformed.
    """
    path = folder / CONFIG_FILE
    if not path.exists():
        raise RunError(
            f"{folder}: no run to resume, as {CONFIG_FILE} does not exist; start a new run instead"
        )
    try:
        stored: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
        RunConfig(**stored["options"])
        load_recipe(stored["recipe"])
        _ = stored["data"], stored["data_sha256"], stored["backend"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: cannot read the configuration of this run ({reason_of(error)}); start a new run instead"
        ) from error
    return stored


def dump_recipe(recipe: Recipe) -> dict[str, Any]:
    """Convert a recipe to its form in ``config.json``."""
    return {_STORED_NAMES.get(name, name): value for name, value in asdict(recipe).items()}


def load_recipe(stored: dict[str, Any]) -> Recipe:
    """Build a recipe from the output of :func:`dump_recipe`.

    Raises KeyError or TypeError.
    """
    names = {stored_name: name for name, stored_name in _STORED_NAMES.items()}
    settings = {names.get(name, name): value for name, value in dict(stored).items()}
    return Recipe(**{**settings, "augmentation": Augmentation(**settings["augmentation"])})


def check_resume_compatible(stored: dict[str, Any], asked: dict[str, Any], digest: str) -> None:
    """Raise UsageError if options, data or backend differ from the stored ones.

    ``stored`` is the content of ``config.json``; ``asked`` contains the options given explicitly on resume.
    """
    options = asdict(RunConfig(**stored["options"]))  # runs of earlier versions store fewer options
    for name, value in asked.items():
        had, got = options[name], value
        if got != had:
            option = _OPTION_NAMES.get(name, name.replace("_", "-"))
            if name in _LISTS:
                had, got = ", ".join(had) or None, ", ".join(got)
            before = f"without {option}" if had is None else f"with {option} {had}"
            raise UsageError(
                f"the run was started {before}, not with {option} {got}",
                hint=f"leave out --{option}, or start over with --overwrite instead of --resume",
            )
    if digest != stored["data_sha256"]:
        raise UsageError(
            f"the data differs from the data the run was started with ({stored['data']}); use the same data",
            hint="or start over with --overwrite instead of --resume",
        )
    import keras

    if keras.backend.backend() != stored["backend"]:
        raise UsageError(
            f"the run was started with the Keras backend {stored['backend']}, not {keras.backend.backend()}; "
            f"set KERAS_BACKEND={stored['backend']}"
        )
