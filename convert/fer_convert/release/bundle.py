"""``make bundle``: converts a trained run to a bundled model of fer-edge."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

import fer_edge.models
from fer_convert.cli.options import data_option, debug_option, require_training_packages, show_progress
from fer_convert.conversion.options import (
    DEFAULT_MAX_DROP,
    DEFAULT_SAMPLES,
    DEFAULT_SPLIT,
    ConversionOptions,
)
from fer_convert.release.model_card import render_model_card
from fer_convert.trained_model import TrainedModel, find_trained_model, resolve_data
from fer_edge.cli.app import run_command
from fer_edge.doctor.models import ANSWERS_SUFFIX, compute_reference_scores
from fer_edge.errors import AccuracyLossError, ConversionError, OutputError
from fer_edge.models.find_model import ACCURATE_MODEL, DEFAULT_MODEL, ModelFile, find_model
from fer_edge.runtime.atomic_files import staged_file
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["LARGEST_BYTES", "bundle", "bundle_model", "find_bundle_folder"]

LARGEST_BYTES: Final = {DEFAULT_MODEL: 1_500_000, ACCURATE_MODEL: 8_000_000}
"""The bundled models and their largest file sizes, limited because every wheel contains all of them."""


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--name",
    type=click.Choice(tuple(LARGEST_BYTES)),
    default=DEFAULT_MODEL,
    show_default=True,
    help="Bundled model to replace.",
)
@data_option("FER-2013 in any of its forms.  [default: the training data of the run]", required=False)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=DEFAULT_SAMPLES,
    show_default=True,
    help="Number of Training faces used to calibrate int8.",
)
@debug_option
def bundle(run: Path, name: str, data: Path | None, samples: int, debug: bool) -> None:
    """Convert RUN to int8 and install it as a bundled model, with its model card.

    Fails if int8 loses more than one point of accuracy on PublicTest, or if the file is too large.
    """
    require_training_packages()
    folder = find_bundle_folder()
    source = find_trained_model(run)
    data = resolve_data(source, data)
    with suppress_native_stderr(debug):
        model = bundle_model(source, data, folder, name, samples)
    click.echo(f"\nNow bundled as {name}: {model.path}, {model.size:,} bytes, sha256 {model.sha256}")


def bundle_model(
    source: TrainedModel,
    data: Path,
    folder: Path,
    name: str = DEFAULT_MODEL,
    samples: int = DEFAULT_SAMPLES,
) -> ModelFile:
    """Convert a network to int8 and write it as the bundled model ``name``.

    The files are written to ``folder``. Also writes its model card and its expected scores for a known face.
    ``samples`` faces calibrate it. Prints the report of the conversion. Raises AccuracyLossError if int8 loses more
    than one point of accuracy on PublicTest and ConversionError if the file is too large; the folder does not change
    in these cases.
    """
    from fer_convert.conversion.convert import convert_model
    from fer_convert.conversion.table import format_conversion_table
    from fer_convert.verification.predictions import predict_with_runtime
    from fer_convert.verification.report import compute_metrics
    from fer_convert.verification.verify import extract_images, select_faces
    from fer_train.data.crops import prepare_faces
    from fer_train.data.dataset import load_faces

    faces = prepare_faces(source.spec, load_faces(data))
    options = ConversionOptions(variants=("int8",), samples=samples)
    with tempfile.TemporaryDirectory() as staging:
        report = convert_model(source, faces, Path(staging), options, data=data.name, progress=show_progress)
        click.echo(format_conversion_table(report))
        model = find_model(Path(staging) / "int8.tflite")
        _check_bundle(source, model, name, report["files"]["int8.tflite"]["accuracy_drop_points"])
        test = select_faces(faces, DEFAULT_SPLIT, model.spec, data.name)
        images = extract_images(test)
        flipped = predict_with_runtime(model, images, show_progress, "Mirrored", flip_average=True)
        card = render_model_card(model, name, report, compute_metrics(flipped, test))
        return _install(model, card, folder / f"{name}.tflite")


def _check_bundle(source: TrainedModel, model: ModelFile, name: str, drop: float) -> None:
    """Raise an error if a file lost too much accuracy or is too large to be bundled."""
    if drop > DEFAULT_MAX_DROP:
        raise AccuracyLossError(
            f"{source.path}: accuracy on {DEFAULT_SPLIT} dropped by {drop:.2f} points in int8, "
            f"more than {DEFAULT_MAX_DROP:g}; the bundled model was not replaced"
        )
    if model.size > LARGEST_BYTES[name]:
        raise ConversionError(
            f"{source.path}: {model.size:,} bytes in int8 exceed the limit of {LARGEST_BYTES[name]:,} for {name}; "
            "the bundled model was not replaced"
        )


def _install(model: ModelFile, card: str, target: Path) -> ModelFile:
    """Write a bundled model, its card and its expected scores for a known face, or nothing."""
    answers = compute_reference_scores(model.path)
    with (
        staged_file(target) as file,
        staged_file(target.with_suffix(".md")) as card_file,
        staged_file(target.with_suffix(ANSWERS_SUFFIX)) as known,
    ):
        file.write_bytes(model.path.read_bytes())
        card_file.write_text(card, encoding="utf-8", errors="backslashreplace")
        known.write_text(json.dumps(answers, indent=2) + "\n", encoding="utf-8")
    return find_model(target)


def find_bundle_folder() -> Path:
    """Return the folder of the bundled models.

    Raises OutputError if it is not in a source checkout or not writable.
    """
    folder = Path(fer_edge.models.__file__).parent
    if not (folder.parents[2] / "pyproject.toml").is_file():
        raise OutputError(
            f"{folder}: this is an installed copy of fer-edge, not a source checkout; "
            "install the checkout with: pip install --editable '.[train]'"
        )
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: the folder is not writable; make the checkout writable")
    return folder


if __name__ == "__main__":
    sys.exit(run_command(bundle, sys.argv[1:], "python -m fer_convert.release.bundle"))
