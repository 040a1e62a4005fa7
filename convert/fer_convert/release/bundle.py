"""``make bundle``: a trained run becomes the model that fer-edge bundles, unless int8 costs too much."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import click

import fer_edge.models
from fer_convert.cli.options import data_option, debug_option, require_training_packages, show_progress
from fer_convert.conversion.options import DEFAULT_MAX_DROP, DEFAULT_SPLIT, ConversionOptions
from fer_convert.trained_model import TrainedModel, find_trained_model, resolve_data
from fer_edge.cli.app import run_command
from fer_edge.doctor.models import ANSWERS_SUFFIX, answer
from fer_edge.errors import AccuracyLossError, OutputError
from fer_edge.models.find_model import DEFAULT_MODEL, ModelFile, find_model
from fer_edge.runtime.atomic_files import staged_file
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["bundle", "bundle_model", "find_bundle_folder"]


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@data_option("FER-2013 in any of its forms.  [default: what the run was trained on]", required=False)
@debug_option
def bundle(run: Path, data: Path | None, debug: bool) -> None:
    """Convert RUN to int8 and make it the model that fer-edge bundles, with its card.

    Refused when int8 loses more than a point of accuracy on PublicTest.
    """
    require_training_packages()
    folder = find_bundle_folder()
    source = find_trained_model(run)
    data = resolve_data(source, data)
    with suppress_native_stderr(debug):
        model = bundle_model(source, data, folder)
    click.echo(f"\nNow bundled: {model.path}, {model.size:,} bytes, sha256 {model.sha256}")


def bundle_model(source: TrainedModel, data: Path, folder: Path) -> ModelFile:
    """Convert a network to int8 and replace the default model in ``folder``, and its card.

    Prints the conversion's report. Raises AccuracyLossError when int8 loses more than a point of accuracy on
    PublicTest; then the folder stays as it is.
    """
    from fer_convert.conversion.convert import convert_model
    from fer_convert.conversion.table import format_conversion_table
    from fer_convert.release.model_card import render_model_card
    from fer_train.data.crops import prepare_faces
    from fer_train.data.dataset import load_faces

    faces = prepare_faces(source.spec, load_faces(data))
    options = ConversionOptions(variants=("int8",))
    with tempfile.TemporaryDirectory() as staging:
        report = convert_model(source, faces, Path(staging), options, data=data.name, progress=show_progress)
        click.echo(format_conversion_table(report))
        drop = report["files"]["int8.tflite"]["accuracy_drop_points"]
        if drop > DEFAULT_MAX_DROP:
            raise AccuracyLossError(
                f"{source.path}: accuracy on {DEFAULT_SPLIT} dropped by {drop:.2f} points in int8, "
                f"by more than {DEFAULT_MAX_DROP:g}; the bundled model stays as it is"
            )
        model = find_model(Path(staging) / "int8.tflite")
        target = folder / f"{DEFAULT_MODEL}.tflite"
        answers = answer(model.path)
        with (
            staged_file(target) as file,
            staged_file(target.with_suffix(".md")) as card,
            staged_file(target.with_suffix(ANSWERS_SUFFIX)) as known,
        ):
            file.write_bytes(model.path.read_bytes())
            card.write_text(render_model_card(model, DEFAULT_MODEL, report), encoding="utf-8")
            known.write_text(json.dumps(answers, indent=2) + "\n", encoding="utf-8")
    return find_model(target)


def find_bundle_folder() -> Path:
    """Find the folder of the bundled models.

    Raises OutputError unless it belongs to a source checkout and can be written.
    """
    folder = Path(fer_edge.models.__file__).parent
    if not (folder.parents[2] / "pyproject.toml").is_file():
        raise OutputError(
            f"{folder}: not a source checkout of fer-edge but an installed copy; "
            "install the checkout with: pip install --editable '.[train]'"
        )
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: cannot be written; make the checkout writable")
    return folder


if __name__ == "__main__":
    sys.exit(run_command(bundle, sys.argv[1:], "python -m fer_convert.release.bundle"))
