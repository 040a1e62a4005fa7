"""Shared options of the ``fer-train`` commands, and checks for installed packages."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from fer_edge.cli.message_options import message_options
from fer_edge.errors import MissingExtraError, RunError

__all__ = [
    "PATH",
    "Number",
    "debug_option",
    "require_keras",
    "require_package",
    "skip_unreadable_option",
    "val_share_option",
]

PATH: Final = click.Path(path_type=Path)


class Number(click.FloatRange):
    """A finite number in a range; Click's own type accepts NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Convert the text of an option; fails as Click's own types do."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def debug_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--debug`` and the options about messages."""
    debug = click.option(
        "--debug", is_flag=True, help="Show messages of the Keras backend, and a traceback for each error."
    )
    return message_options(debug(function))


def skip_unreadable_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--skip-unreadable``, for a command that reads DATA."""
    return click.option(
        "--skip-unreadable",
        is_flag=True,
        help="Skip images and rows of DATA that cannot be read, and warn about them.",
    )(function)


def val_share_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--val-share``, for a command that splits DATA."""
    return click.option(
        "--val-share",
        type=Number(0, 0.9, min_open=True),
        metavar="SHARE",
        help="Hold out this share of DATA, such as 0.2, as the split test. For folders that are not split yet.",
    )(function)


def require_package(module: str, name: str) -> None:
    """Raise MissingExtraError if a package of the extra ``train`` is missing.

    Does not import the package.
    """
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(name, "train")


def require_keras() -> None:
    """Raise an error if Keras cannot be imported.

    Raises MissingExtraError, or RunError if a backend other than TensorFlow is missing.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    try:
        import keras  # noqa: F401
    except ModuleNotFoundError as error:
        if backend == "tensorflow" or error.name == "keras":
            raise MissingExtraError("TensorFlow and Keras", "train") from error
        raise RunError(
            f"KERAS_BACKEND names {backend}, which is not installed; install it with: pip install {backend}"
        ) from error
    except ValueError as error:  # what Keras raises for an unknown backend
        raise RunError(
            f"expected KERAS_BACKEND to be tensorflow, jax or torch, got {backend!r}: {error}"
        ) from error
