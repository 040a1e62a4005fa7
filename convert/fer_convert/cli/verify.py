"""``fer-convert verify``."""

from __future__ import annotations

from pathlib import Path

import click

from fer_convert.cli.options import data_option, debug_option, show_progress
from fer_convert.cli.splits import split_option
from fer_convert.cli.warnings import warn_about_predictions
from fer_edge.cli.completion import complete_model
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["verify"]


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path), shell_complete=complete_model)
@data_option("FER-2013 in any of its forms, or your own faces.", required=True)
@split_option
@click.option(
    "--flip-average", is_flag=True, help="Average the probabilities of each face and its mirror image."
)
@debug_option
def verify(file: Path, data: Path, split: str | None, flip_average: bool, debug: bool) -> None:
    """Measure a file's accuracy and latency on this device, without TensorFlow.

    FILE is a .tflite file with a model spec, or the name of a bundled model (default, accurate).
    """
    from fer_convert.verification.table import format_verification_table
    from fer_convert.verification.verify import verify as verify_model
    from fer_edge.models.find_model import find_model
    from fer_train.data.crops import prepare_faces
    from fer_train.data.held_out import choose_split, load_faces_of_model

    with suppress_native_stderr(debug):
        model = find_model(file)
        faces = prepare_faces(model.spec, load_faces_of_model(model.spec, data))
        split = choose_split(model.spec, faces, split, str(data))
        report = verify_model(model, faces, split, str(data), show_progress, flip_average=flip_average)
    warn_about_predictions(report)
    click.echo(format_verification_table(model, report))
