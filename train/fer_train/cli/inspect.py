"""``fer-train inspect``."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import click

from fer_edge.runtime.atomic_files import check_file_in_folder
from fer_edge.runtime.locks import lock_folder
from fer_train.cli.options import (
    PATH,
    debug_option,
    require_package,
    skip_unreadable_option,
    val_share_option,
)
from fer_train.data.checks import find_data_problems, is_user_data
from fer_train.data.dataset import load_faces
from fer_train.data.held_out import hold_out
from fer_train.data.inspection import GRID_FILE, format_inspection, inspect_dataset
from fer_train.data.output_place import check_outside_data
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["inspect_data"]

_LOG: Final = logging.getLogger(__name__)


@click.command("inspect")
@click.argument("data", type=PATH)
@click.option(
    "--plot",
    type=PATH,
    metavar="DIR",
    help="Write a grid of sample images and a plot of the labels to this folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing plots in the folder.")
@val_share_option
@skip_unreadable_option
@debug_option
def inspect_data(
    data: Path,
    plot: Path | None,
    overwrite: bool,
    val_share: float | None,
    skip_unreadable: bool,
    debug: bool,
) -> None:
    """Count the faces in DATA and find blank and duplicate images."""
    if plot is not None:
        check_outside_data(plot, data)
    with suppress_native_stderr(debug), nullcontext() if plot is None else lock_folder(plot):
        if plot is not None:
            require_package("matplotlib", "Matplotlib")
            check_file_in_folder(plot, GRID_FILE, overwrite=overwrite)
        faces = load_faces(data, skip_unreadable=skip_unreadable, explain_splits=val_share is None)
        if val_share is not None:
            faces = hold_out(faces, val_share, str(data))
        found = inspect_dataset(faces)
        click.echo(format_inspection(found, str(data)))
        for problem in find_data_problems(faces, str(data)) if is_user_data(faces) else []:
            _LOG.warning("%s", problem, extra={"hint": problem.hint})
        if plot is not None:
            from fer_train.evaluation.plots import draw_inspection

            names = draw_inspection(plot, faces, found)
            click.echo(f"\nWritten to {plot}: {', '.join(names)}")
