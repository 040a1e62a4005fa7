"""The run folder: what a training leaves behind, and what it needs to be resumed."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fer_edge._version import __version__
from fer_edge.errors import OutputError, RunError, UsageError
from fer_edge.models.spec import ModelSpec
from fer_edge.runtime.atomic_files import make_folder, staged_file, write_json
from fer_train.data.augmentation import Augmentation
from fer_train.training.recipes import Recipe
from fer_train.training.tensorboard import EventFile

if TYPE_CHECKING:
    import keras

    from fer_train.training.trainer import EpochReport

__all__ = [
    "MODEL_FILE",
    "REPORT_FILE",
    "SPEC_FILE",
    "Options",
    "RunFolder",
    "described",
    "require_same",
    "stored_recipe",
]

MODEL_FILE: Final = "model.keras"
SPEC_FILE: Final = "spec.json"
REPORT_FILE: Final = "report.json"
_CONFIG, _HISTORY, _CHECKPOINT = "config.json", "history.csv", "checkpoint.npz"
_CURVES, _CONFUSION, _EVENTS = "curves.png", "confusion.png", "tensorboard"
_FILES: Final = (MODEL_FILE, SPEC_FILE, REPORT_FILE, _CONFIG, _HISTORY, _CHECKPOINT, _CURVES, _CONFUSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What decides the outcome of a run besides the data: stored in ``config.json``, obeyed by ``--resume``.

    ``epochs``, ``batch_size`` and ``mixup`` are those of the run, whether asked for or the recipe's.
    ``limit`` keeps that many faces of each split. ``votes`` is the absolute path of FER+'s votes,
    ``teachers`` are those of the models that are taught from, or bundled models' names. ``fold``, such as
    ``1/5``, is the one of Training that is measured on.
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


class RunFolder:
    """A run folder and its files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / _CHECKPOINT
        self.model = path / MODEL_FILE
        self._events = EventFile(path / _EVENTS)

    def refuse_if_present(self) -> None:
        """Raise OutputError when something is there already."""
        if self.path.is_dir() and not any(self.path.iterdir()):
            return
        if self.path.exists():
            raise OutputError(
                f"{self.path}: expected a run folder that is not there yet; go on with it by --resume, "
                "replace it with --overwrite, or name another with --out"
            )

    def create(self, config: dict[str, Any]) -> None:
        """Make the folder, without the files of an earlier run, and describe the run in ``config.json``.

        Raises OutputError when it cannot be written.
        """
        make_folder(self.path)
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.path / _EVENTS, ignore_errors=True)
        write_json(self.path / _CONFIG, config)

    def config(self) -> dict[str, Any]:
        """What ``config.json`` says; raises RunError where there is none to resume by."""
        path = self.path / _CONFIG
        if not path.exists():
            raise RunError(
                f"{self.path}: expected a run of fer-train to resume, found none; start it without --resume"
            )
        try:
            config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            Options(**config["options"])
            stored_recipe(config)
            _ = config["data"], config["data_sha256"], config["backend"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self.path}: expected a run of fer-train to resume, cannot read its {_CONFIG}: {error}"
            ) from error
        return config

    def write_history(self, history: Sequence[EpochReport]) -> None:
        """Write ``history.csv``: a row for each finished epoch."""
        with staged_file(self.path / _HISTORY) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            rows = [asdict(row) for row in history]
            writer.writerow(rows[0])
            for row in rows:
                writer.writerow("" if value is None else round(value, 6) for value in row.values())

    def add_events(self, report: EpochReport) -> None:
        """Add a finished epoch to what TensorBoard shows of this run."""
        figures = {
            "accuracy/training": report.accuracy,
            "accuracy/validation": report.val_accuracy,
            "loss/training": report.loss,
            "loss/validation": report.val_loss,
            "learning_rate": report.learning_rate,
            "images_per_s": report.images_per_s,
        }
        self._events.add(report.epoch, {tag: value for tag, value in figures.items() if value is not None})

    def write_model(self, model: keras.Model) -> str:
        """Write ``model.keras``; its SHA-256 in hexadecimal digits."""
        with staged_file(self.model) as part:
            model.save(part)
        with self.model.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def write_results(self, spec: ModelSpec, report: dict[str, Any], history: Sequence[EpochReport]) -> None:
        """Write ``spec.json``, ``report.json`` and the two pictures."""
        from fer_train.evaluation.plots import draw_confusion, draw_curves

        with staged_file(self.path / SPEC_FILE) as part:
            part.write_text(spec.to_json(), encoding="utf-8")
        write_json(self.path / REPORT_FILE, report)
        is_validated = history[-1].val_loss is not None
        draw_curves(
            self.path / _CURVES, history, f"{spec.name}: training", report["split"] if is_validated else None
        )
        draw_confusion(self.path / _CONFUSION, report, spec.name)


def described(options: Options, recipe: Recipe, data: Path, digest: str) -> dict[str, Any]:
    """The content of ``config.json``; ``data`` is absolute, ``digest`` that of the faces."""
    return {
        "data": str(data),
        "data_sha256": digest,
        "options": asdict(options),
        "recipe": asdict(recipe),
        "version": __version__,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **_environment(),
    }


def _environment() -> dict[str, Any]:
    """The Keras backend, versions and machine that a run was made with."""
    import keras

    backend = keras.backend.backend()
    return {
        "backend": backend,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("keras", backend, "numpy")},
        },
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    }


def stored_recipe(config: dict[str, Any]) -> Recipe:
    """The recipe that a run was started with, as it was then."""
    settings = dict(config["recipe"])
    return Recipe(**{**settings, "augmentation": Augmentation(**settings["augmentation"])})


def require_same(config: dict[str, Any], asked: dict[str, Any], digest: str) -> None:
    """Hold what ``--resume`` was given against what the run was started with.

    ``asked`` are the options that were given expressly. Raises UsageError at a contradiction.
    """
    options = asdict(Options(**config["options"]))  # a run of an earlier version has fewer
    for name, value in asked.items():
        stored = options[name]
        if value != stored:
            option = {"teachers": "--teacher"}.get(name, "--" + name.replace("_", "-"))
            if name == "teachers":
                stored, value = ", ".join(stored) or None, ", ".join(value)
            had = f"without {option}" if stored is None else f"{option} {stored}"
            raise UsageError(
                f"expected the options the run was started with ({had}), got {option} {value}; "
                "leave it out, or start anew with --overwrite"
            )
    if digest != config["data_sha256"]:
        raise UsageError(
            f"expected the data the run was started with ({config['data']}), got others; "
            "name the same data, or start anew with --overwrite"
        )
    import keras

    if keras.backend.backend() != config["backend"]:
        raise UsageError(
            f"expected the Keras backend the run was started with ({config['backend']}), "
            f"got {keras.backend.backend()}; set KERAS_BACKEND={config['backend']}"
        )
