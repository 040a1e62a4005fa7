"""``fer-convert attach``."""

from __future__ import annotations

import zipfile
from pathlib import Path

import click

from fer_convert.cli.options import debug_option
from fer_edge.errors import ContractError
from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE, ModelSpec, read_spec
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["attach"]


@click.command("attach")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--spec",
    type=click.Path(path_type=Path),
    required=True,
    help="The spec.json of a run, or a .tflite file with the model spec.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace an existing model spec, and metadata that contradicts SPEC.",
)
@debug_option
def attach(file: Path, spec: Path, overwrite: bool, debug: bool) -> None:
    """Check a model spec against a third-party .tflite file and embed it.

    FILE is replaced.
    """
    from fer_convert.tflite.attach import attach as attach_spec

    found = _read_spec(spec)
    with suppress_native_stderr(debug):
        attached = attach_spec(file, found, overwrite=overwrite)
    model = attached.model
    click.echo(
        f"{model.path}: {'now has' if attached.changed else 'already has'} the model spec of "
        f"{model.spec.name} ({model.spec.variant}): {', '.join(model.spec.labels)}"
    )
    if attached.changed and not attached.range_known:
        click.echo(
            f"Its input will be (pixel - {PIXEL_MEAN}) / {PIXEL_SCALE}; the file does not state whether it was "
            f"trained on this range. Check its accuracy with: fer-convert verify {file} --data DATA"
        )


def _read_spec(path: Path) -> ModelSpec:
    if path.is_file() and path.suffix != ".json" and not zipfile.is_zipfile(path):
        raise ContractError(
            f"{path}: no model spec in this file; specify the spec.json of a run, or a .tflite file with a model spec"
        )
    return read_spec(path)
