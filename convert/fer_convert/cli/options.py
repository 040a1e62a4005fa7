"""Shared options of the ``fer-convert`` commands, and checks for packages."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import click

from fer_edge.cli.message_options import message_options
from fer_edge.cli.progress import progress_bar
from fer_edge.errors import MissingExtraError

__all__ = ["data_option", "debug_option", "require_training_packages", "show_progress"]


def debug_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--debug`` and the options about messages."""
    debug = click.option(
        "--debug", is_flag=True, help="Show TensorFlow's messages, and a traceback for each error."
    )
    return message_options(debug(function))


def data_option(help_text: str, *, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add ``--data``, a path."""
    return click.option(
        "--data", type=click.Path(path_type=Path), metavar="DATA", required=required, help=help_text
    )


def show_progress(task: str, steps: Iterable[Any]) -> Iterable[Any]:
    """Yield the steps of a long task, with a progress bar if stderr is a terminal."""
    return cast(Iterable[Any], progress_bar(steps, desc=f"{task:<19}"))


def require_training_packages() -> None:
    """Raise MissingExtraError if a package needed for conversion is not installed.

    Does not import the packages. Also selects TensorFlow as the Keras backend.
    """
    # Keras reads this variable when it is imported; only TensorFlow has the converter.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    for module, name in (("tensorflow", "TensorFlow"), ("keras", "Keras"), ("matplotlib", "Matplotlib")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(name, "train")
