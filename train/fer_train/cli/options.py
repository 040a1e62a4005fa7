"""What the commands of ``fer-train`` share: types of options, and checks of what is installed."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

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
    """A finite number in a range; Click's own type lets NaN through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Convert the text of an option; fails as Click's types do."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def debug_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--debug``, the same for every command."""
    return click.option(
        "--debug", is_flag=True, help="Show the backend's messages, and a traceback with an error."
    )(function)


def skip_unreadable_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--skip-unreadable``, the same for every command that reads DATA."""
    return click.option(
        "--skip-unreadable",
        is_flag=True,
        help="Go on without images and rows of DATA that cannot be read; they are named.",
    )(function)


def val_share_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--val-share``, the same for every command that splits DATA."""
    return click.option(
        "--val-share",
        type=Number(0, 0.9, min_open=True),
        metavar="SHARE",
        help="Hold that share of DATA out as the split test, such as 0.2, where its folders are labels alone.",
    )(function)


def require_package(module: str, name: str) -> None:
    """Raise MissingExtraError unless a package of the extra ``train`` is installed; does not import it."""
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(name, "train")


def require_keras() -> None:
    """Raise MissingExtraError, or RunError for another backend, unless Keras and its backend can be imported."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    try:
        import keras  # noqa: F401
    except ModuleNotFoundError as error:
        if backend == "tensorflow" or error.name == "keras":
            raise MissingExtraError("TensorFlow and Keras", "train") from error
        raise RunError(
            f"expected the Keras backend that KERAS_BACKEND names, {backend} is not installed; "
            f"install it with: pip install {backend}"
        ) from error
    except ValueError as error:  # how Keras says that it knows no such backend
        raise RunError(
            f"expected KERAS_BACKEND to be tensorflow, jax or torch, got {backend!r}: {error}"
        ) from error
