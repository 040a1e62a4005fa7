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
    help="A run's spec.json, or a .tflite file that carries the model spec.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace the model spec that FILE has, and metadata that contradict SPEC.",
)
@debug_option
def attach(file: Path, spec: Path, overwrite: bool, debug: bool) -> None:
    """Check a model spec against a .tflite file from elsewhere, and embed it.

    FILE is replaced.
    """
    from fer_convert.tflite.attach import attach as attach_spec

    found = _read_spec(spec)
    with suppress_native_stderr(debug):
        attached = attach_spec(file, found, overwrite=overwrite)
    model = attached.model
    click.echo(
        f"{model.path}: {'now carries' if attached.changed else 'already carries'} the model spec of "
        f"{model.spec.name} ({model.spec.variant}): {', '.join(model.spec.labels)}"
    )
    if attached.changed and not attached.range_known:
        click.echo(
            f"It is given (pixel - {PIXEL_MEAN}) / {PIXEL_SCALE}; the file does not say whether it was trained on "
            f"that. Measure it with: fer-convert verify {file} --data DATA"
        )


def _read_spec(path: Path) -> ModelSpec:
    if path.is_file() and path.suffix != ".json" and not zipfile.is_zipfile(path):
        raise ContractError(
            f"{path}: no model spec inside; name a run's spec.json, or a .tflite file that carries its spec"
        )
    return read_spec(path)
