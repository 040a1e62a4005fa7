"""The ``fer-train`` command group."""

from __future__ import annotations

import click

from fer_edge._version import __version__
from fer_edge.cli.app import run_command
from fer_train.cli.archs import list_archs
from fer_train.cli.crop import crop
from fer_train.cli.evaluate import evaluate_model
from fer_train.cli.fit import fit
from fer_train.cli.inspect import inspect_data
from fer_train.cli.soft_labels import make_soft_labels

__all__ = ["cli", "run"]


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit status.

    An error is printed as one line on standard error.
    """
    return run_command(cli, arguments, "fer-train")


@click.group(no_args_is_help=True)
@click.version_option(__version__, prog_name="fer-train")
def cli() -> None:
    """Train and evaluate facial emotion classifiers on FER-2013 or your own faces.

    DATA is FER-2013 as downloaded (fer2013.tar.gz, fer2013.csv, icml_face_data.csv; plain, .gz, .zip or
    .tar.gz) or folders of images: train/<emotion>/… and test/<emotion>/…, or one folder per label.

    \b
    fer-train fit fer2013.tar.gz --arch mini-resnet --out runs/mini-resnet
    fer-train evaluate runs/mini-resnet fer2013.tar.gz --split PublicTest

    \b
    fer-train crop photos --out photos-cropped
    fer-train fit photos-cropped --from default --val-share 0.2 --out runs/mine
    """


for _command in (crop, fit, evaluate_model, inspect_data, make_soft_labels, list_archs):
    cli.add_command(_command)
