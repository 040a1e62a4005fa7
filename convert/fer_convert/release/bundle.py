"""``make bundle``: a trained run becomes the model that fer-edge brings along, if int8 does not spoil it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

import fer_edge.models.find_model
from fer_convert.cli import data_option, debug_option, progress, require_training_packages
from fer_convert.quantization.calibration_data import DEFAULT_SAMPLES
from fer_convert.release.model_card import card
from fer_convert.trained_model import data_of, find_source
from fer_convert.verification.report import conversion_table
from fer_edge.cli.app import run_command
from fer_edge.errors import AccuracyLossError, OutputError
from fer_edge.models.find_model import DEFAULT_MODEL, find_model
from fer_edge.runtime.atomic_files import staged_file
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["bundle"]

_SPLIT: Final = "PublicTest"
_MAX_DROP: Final = 1.0


@click.command()
@click.argument("source", metavar="RUN", type=click.Path(path_type=Path))
@data_option("FER-2013 in any of its forms.  [default: what the run was trained on]", required=False)
@debug_option
def bundle(source: Path, data: Path | None, debug: bool) -> None:
    """Convert RUN to int8 and make it the model that fer-edge brings along, with its card.

    Refused when int8 loses more than a point of accuracy on PublicTest.
    """
    require_training_packages()
    folder = bundle_folder()
    found = find_source(source)
    data = data_of(found, data)
    with suppress_native_stderr(debug), tempfile.TemporaryDirectory() as staging:
        from fer_convert.conversion import convert
        from fer_train.data.crops import prepare_faces
        from fer_train.data.dataset import load_faces

        report = convert(
            found,
            prepare_faces(found.spec, load_faces(data)),
            Path(staging),
            data=data.name,
            variants=("int8",),
            samples=DEFAULT_SAMPLES,
            seed=0,
            split=_SPLIT,
            progress=progress,
        )
        click.echo(conversion_table(report))
        lost = report["files"]["int8.tflite"]["points_lost"]
        if lost > _MAX_DROP:
            raise AccuracyLossError(
                f"{source}: expected a loss of at most {_MAX_DROP:g} points on {_SPLIT}, "
                f"int8 loses {lost:.2f}; the bundled model stays as it is"
            )
        model = find_model(Path(staging) / "int8.tflite")
        target = folder / f"{DEFAULT_MODEL}.tflite"
        with staged_file(target) as file, staged_file(target.with_suffix(".md")) as text:
            file.write_bytes(model.path.read_bytes())
            text.write_text(card(model, DEFAULT_MODEL, report), encoding="utf-8")
    click.echo(f"\nNow bundled: {target}, {model.size:,} bytes, sha256 {model.sha256}")


def bundle_folder() -> Path:
    """The folder of the bundled models; raises OutputError unless it is a checkout's that can be written."""
    folder = Path(fer_edge.models.__file__).parent
    if not (folder.parents[2] / "pyproject.toml").is_file():
        raise OutputError(
            f"{folder}: expected the source checkout of fer-edge, this is an installed copy; "
            "install the checkout with: pip install --editable '.[train]'"
        )
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: cannot be written; make the checkout writable")
    return folder


if __name__ == "__main__":
    sys.exit(run_command(bundle, sys.argv[1:], "python -m fer_convert.release.bundle"))
