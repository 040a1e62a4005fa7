"""The command line of ``fer-train``: parse, call, print, render errors once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click
from click.core import ParameterSource

from fer_edge._version import __version__
from fer_edge.errors import FerEdgeError, MissingExtraError, RunError, UsageError
from fer_train.archs import ARCHITECTURES
from fer_train.chatter import silenced
from fer_train.recipes import RECIPES, recipe

__all__ = ["cli", "run"]

_INTERRUPTED, _TERMINATED = 130, 143
_PATH: Final = click.Path(path_type=Path)


def run(arguments: list[str]) -> int:
    """Run the command line; its exit status. Errors are one line on standard error."""
    debug = "--debug" in arguments
    signal.signal(signal.SIGTERM, _terminate)
    try:
        cli.main(arguments, prog_name="fer-train", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except FerEdgeError as error:
        if debug:
            raise
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return _INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more; keep the interpreter from trying once again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


@click.group(no_args_is_help=True)
@click.version_option(__version__, prog_name="fer-train")
def cli() -> None:
    """Train facial emotion classifiers on FER-2013 or your own faces, and measure them.

    DATA is FER-2013 as it comes (fer2013.tar.gz, fer2013.csv, icml_face_data.csv; plain, .gz, .zip or
    .tar.gz) or folders of pictures: train/<emotion>/… and test/<emotion>/….

    \b
    fer-train fit fer2013.tar.gz --arch mini-resnet --out runs/mini-resnet
    fer-train evaluate runs/mini-resnet fer2013.tar.gz --split PublicTest
    """


def _debug_option(function: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--debug", is_flag=True, help="Show the backend's messages, and a traceback with an error."
    )(function)


@cli.command("fit")
@click.argument("data", type=_PATH)
@click.option(
    "--arch",
    type=click.Choice(list(ARCHITECTURES)),
    default="bn-cnn",
    show_default=True,
    help="The network; `fer-train archs` describes them.",
)
@click.option(
    "--recipe",
    "recipe_name",
    type=click.Choice(list(RECIPES)),
    default="modern",
    show_default=True,
    help="How it is trained: as in the paper, or better.",
)
@click.option(
    "--out", type=_PATH, metavar="RUN", required=True, help="The run folder, which must not be there yet."
)
@click.option("--epochs", type=click.IntRange(1), help="[default: the recipe's]")
@click.option("--batch-size", type=click.IntRange(1), help="[default: the recipe's]")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Decides everything that is random.",
)
@click.option(
    "--resume", is_flag=True, help="Go on with RUN after its last finished epoch, by the options it has."
)
@click.option(
    "--stop-after",
    type=click.FloatRange(0, min_open=True),
    metavar="MINUTES",
    help="Begin no epoch that would end later; go on with --resume.",
)
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Only N faces of each split, for a quick try."
)
@click.option(
    "--votes", type=_PATH, metavar="CSV", help="FER+'s votes (fer2013new.csv), as an auxiliary target."
)
@click.option(
    "--class-weights",
    type=click.Choice(["none", "balanced"]),
    default="none",
    show_default=True,
    help="balanced: every label weighs the same, however rare.",
)
@click.option("--overwrite", is_flag=True, help="Replace the run that RUN holds.")
@_debug_option
@click.pass_context
def _fit(
    context: click.Context,
    data: Path,
    arch: str,
    recipe_name: str,
    out: Path,
    epochs: int | None,
    batch_size: int | None,
    seed: int,
    resume: bool,
    stop_after: float | None,
    limit: int | None,
    votes: Path | None,
    class_weights: str,
    overwrite: bool,
    debug: bool,
) -> None:
    """Train a network and write the run folder RUN."""
    if resume and overwrite:
        raise UsageError("expected --resume or --overwrite, got both; the one goes on, the other starts anew")
    with silenced(debug):
        _require_keras()
        from fer_train.progress import ProgressBar
        from fer_train.run import Options, RunFolder
        from fer_train.tables import report_table
        from fer_train.training import new_run, resumed_run

        chosen = recipe(recipe_name).resized(epochs, batch_size)
        options = Options(
            arch=arch,
            recipe=recipe_name,
            epochs=chosen.epochs,
            batch_size=chosen.batch_size,
            seed=seed,
            limit=limit,
            votes=None if votes is None else str(votes.absolute()),
            class_weights=class_weights,
        )
        folder = RunFolder(out)
        if resume:
            training = resumed_run(folder, data, _asked(context, options))
        else:
            training = new_run(folder, data, options, chosen, overwrite=overwrite)
        with ProgressBar() as bar:
            training.train(bar, stop_after_s=None if stop_after is None else 60 * stop_after)
    assert training.report is not None
    click.echo(report_table(training.report))
    done = len(training.trainer.history)
    click.echo(
        f"\nWritten to {out}" + ("" if training.is_complete else f" after {done} epochs; go on with --resume")
    )


def _asked(context: click.Context, options: Any) -> dict[str, Any]:
    """The options of a run that the command line names, by their name in ``Options``."""
    names = {"recipe_name": "recipe"}
    return {
        names.get(name, name): getattr(options, names.get(name, name))
        for name in context.params
        if hasattr(options, names.get(name, name))
        and context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }


def _require_keras() -> None:
    """Raise MissingExtraError, or RunError for another backend, unless Keras and its backend can be imported."""
    try:
        import keras  # noqa: F401
    except ModuleNotFoundError as error:
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        if backend == "tensorflow" or error.name == "keras":
            raise MissingExtraError("TensorFlow and Keras", "train") from error
        raise RunError(
            f"expected the Keras backend that KERAS_BACKEND names, {backend} is not installed; "
            f"install it with: pip install {backend}"
        ) from error


def _terminate(_: int, __: FrameType | None) -> None:
    raise SystemExit(_TERMINATED)
