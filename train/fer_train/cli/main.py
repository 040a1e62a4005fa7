"""The command line of ``fer-train``: parse, call, print, render errors once."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from fer_edge._version import __version__
from fer_edge.cli.app import run_command
from fer_edge.cli.progress import progress_bar
from fer_edge.errors import MissingExtraError, RunError, UsageError
from fer_edge.models.spec import FER2013_LABELS
from fer_edge.runtime.atomic_files import check_file, check_file_in_folder
from fer_edge.runtime.shutdown import Terminated
from fer_train.data.dataset import SPLITS, ferplus_faces, load_faces, votes_for
from fer_train.data.duplicates import Fold
from fer_train.models.loading import is_tflite, located_model
from fer_train.models.registry import ARCHITECTURES
from fer_train.native_stderr import suppress_native_stderr
from fer_train.training.recipes import RECIPES, recipe
from fer_train.training.run_folder import REPORT_FILE

if TYPE_CHECKING:
    from fer_train.training.run import TrainingRun

__all__ = ["cli", "run"]

_PATH: Final = click.Path(path_type=Path)


class _Number(click.FloatRange):
    """A finite number in a range; Click's own type lets NaN through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def run(arguments: list[str]) -> int:
    """Run the command line; its exit status. An error is one line on standard error."""
    return run_command(cli, arguments, "fer-train")


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
    type=_Number(0, min_open=True),
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
    "--teacher",
    "teachers",
    type=_PATH,
    metavar="MODEL",
    multiple=True,
    help="Learn from the probabilities of a trained run, .tflite file or bundled model, or from soft labels "
    "(.npz), too; may be given more than once.",
)
@click.option(
    "--labels",
    type=click.Choice(["fer", "ferplus"]),
    default="fer",
    show_default=True,
    help="DATA's own labels, or FER+'s eight by the most of the --votes.",
)
@click.option(
    "--class-weights",
    type=click.Choice(["none", "balanced"]),
    default="none",
    show_default=True,
    help="balanced: every label weighs the same, however rare.",
)
@click.option(
    "--mixup",
    type=_Number(0, 10),
    metavar="ALPHA",
    help="Mix each picture with another, in shares from Beta(ALPHA, ALPHA); 0: not.  [default: the recipe's]",
)
@click.option(
    "--fold",
    metavar="K/N",
    help="Leave the K-th of N parts of Training out and measure on it, instead of on PublicTest.",
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
    teachers: tuple[Path, ...],
    labels: str,
    class_weights: str,
    mixup: float | None,
    fold: str | None,
    overwrite: bool,
    debug: bool,
) -> None:
    """Train a network and write the run folder RUN."""
    if resume and overwrite:
        raise UsageError("expected --resume or --overwrite, got both; the one goes on, the other starts anew")
    if fold is not None:
        fold = str(Fold.parsed(fold))
    with suppress_native_stderr(debug):
        _require_keras()
        from fer_train.evaluation.report import report_table
        from fer_train.training.progress import ProgressBar
        from fer_train.training.run import new_run, resumed_run
        from fer_train.training.run_folder import Options, RunFolder

        chosen = recipe(recipe_name, arch).resized(epochs, batch_size)
        if mixup is not None:
            chosen = replace(chosen, mixup=mixup)
        options = Options(
            arch=arch,
            recipe=recipe_name,
            epochs=chosen.epochs,
            batch_size=chosen.batch_size,
            seed=seed,
            limit=limit,
            votes=None if votes is None else str(votes.absolute()),
            labels=labels,
            class_weights=class_weights,
            teachers=[located_model(teacher) for teacher in teachers],
            mixup=chosen.mixup,
            fold=fold,
        )
        if teachers and not chosen.teacher_weight:
            raise UsageError(
                f"expected a recipe that learns from a --teacher, {recipe_name} makes no use of one"
            )
        if labels == "ferplus" and votes is None and not resume:
            raise UsageError("expected --votes (fer2013new.csv) for --labels ferplus, got none")
        if votes is not None and labels == "fer" and not chosen.votes_weight:
            raise UsageError(
                f"expected a recipe that learns from --votes, {recipe_name} makes no use of them"
            )
        folder = RunFolder(out)
        if resume:
            training = resumed_run(folder, data, _asked(context, options))
        else:
            training = new_run(folder, data, options, chosen, overwrite=overwrite)
        try:
            with ProgressBar() as bar:
                training.train(bar, stop_after_s=None if stop_after is None else 60 * stop_after)
        except (KeyboardInterrupt, Terminated):
            click.echo(f"Interrupted {_state_of(training)}", err=True)
            raise
    assert training.report is not None
    click.echo(report_table(training.report))
    click.echo(f"\nWritten to {out}" if training.is_complete else f"\nStopped {_state_of(training)}")


@cli.command("evaluate")
@click.argument("model", type=_PATH)
@click.argument("data", type=_PATH)
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="PublicTest",
    show_default=True,
    help="The faces to measure on.",
)
@click.option("--out", type=_PATH, metavar="DIR", help="Write report.json and confusion.png there.")
@click.option("--votes", type=_PATH, metavar="CSV", help="FER+'s votes, for a model of FER+'s eight labels.")
@click.option("--overwrite", is_flag=True, help="Replace the report that DIR holds.")
@_debug_option
def _evaluate(
    model: Path, data: Path, split: str, out: Path | None, votes: Path | None, overwrite: bool, debug: bool
) -> None:
    """Measure a model on a split of DATA.

    MODEL is a run folder, a .keras file beside its spec.json, a .tflite file or a bundled model's name; the
    latter two need no TensorFlow.
    """
    from fer_train.evaluation.evaluate import evaluate, write_evaluation
    from fer_train.evaluation.report import report_table

    with suppress_native_stderr(debug):
        if not is_tflite(model):
            _require_keras()
        if out is not None:
            _require_matplotlib()
            check_file_in_folder(out, REPORT_FILE, overwrite=overwrite)
        faces = load_faces(data)
        if votes is not None:
            faces = ferplus_faces(faces, votes_for(faces, votes))
        report = evaluate(
            model, faces, split, lambda steps: progress_bar(steps, desc=f"Evaluating on {split}")
        )
        if out is not None:
            write_evaluation(out, report)
    click.echo(report_table(report))
    if out is not None:
        click.echo(f"\nWritten to {out}: report.json, confusion.png")


@cli.command("inspect")
@click.argument("data", type=_PATH)
@click.option(
    "--plot", type=_PATH, metavar="DIR", help="Draw the sample grid and the class distribution there."
)
@click.option("--overwrite", is_flag=True, help="Replace pictures that DIR holds.")
@_debug_option
def _inspect(data: Path, plot: Path | None, overwrite: bool, debug: bool) -> None:
    """Count DATA's faces, and find blank, equal and nearly equal pictures."""
    from fer_train.data.inspection import GRID_FILE, inspected, inspection_table, write_pictures

    with suppress_native_stderr(debug):
        if plot is not None:
            _require_matplotlib()
            check_file_in_folder(plot, GRID_FILE, overwrite=overwrite)
        faces = load_faces(data)
        found = inspected(faces)
        click.echo(inspection_table(found, str(data)))
        if plot is not None:
            names = write_pictures(plot, faces, found)
            click.echo(f"\nWritten to {plot}: {', '.join(names)}")


@cli.command("soft-labels")
@click.argument("data", type=_PATH)
@click.option(
    "--teacher",
    "teachers",
    type=_PATH,
    metavar="MODEL",
    multiple=True,
    required=True,
    help="A trained run, .tflite file or bundled model; of several, the mean.",
)
@click.option("--out", type=_PATH, metavar="NPZ", required=True, help="The file to write.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
@_debug_option
def _soft_labels(data: Path, teachers: tuple[Path, ...], out: Path, overwrite: bool, debug: bool) -> None:
    """Keep what teachers say of each training face, to learn from without them: fit --teacher NPZ.

    Faster than asking them during the training, and by far where they are large. They are asked about each
    face as it is and mirrored. The file holds probabilities and hashes, no faces.
    """
    from fer_train.objectives.soft_labels import is_soft_labels, soft_labels_of, write_soft_labels
    from fer_train.objectives.teachers import open_teacher

    with suppress_native_stderr(debug):
        if not all(is_tflite(teacher) for teacher in teachers):
            _require_keras()
        if not is_soft_labels(out):
            raise UsageError(f"expected a file name that ends in .npz for soft labels, got {str(out)!r}")
        check_file(out, overwrite=overwrite)
        faces = load_faces(data).split("Training")
        networks = [open_teacher(teacher, faces.label_names) for teacher in teachers]
        soft = soft_labels_of(faces, networks, lambda steps: progress_bar(steps, desc="Asking the teachers"))
        write_soft_labels(out, soft)
    click.echo(f"{len(soft.keys):,} faces, {out.stat().st_size:,} bytes\nWritten to {out}")


@cli.command("archs")
@_debug_option
def _archs(debug: bool) -> None:
    """List the architectures: parameters, multiply-adds, and what each is for."""
    with suppress_native_stderr(debug):
        _require_keras()
        from fer_edge.runtime.tables import aligned
        from fer_train.models.complexity import cost

        rows = []
        for arch in ARCHITECTURES.values():
            network = cost(arch.build(len(FER2013_LABELS)))
            rows.append(
                (arch.name, f"{network.parameters:,}", f"{network.macs / 1e6:.1f} M", f"  {arch.purpose}")
            )
    click.echo("\n".join(aligned(("", "parameters", "multiply-adds", ""), rows, left=(0, 3))))


def _state_of(training: TrainingRun) -> str:
    done = len(training.trainer.history)
    if not done:
        return f"before the first epoch's end; begin again with --resume --out {training.folder.path}"
    return (
        f"after {done} of {training.recipe.epochs} epochs; {training.folder.path} holds what they gave, "
        "go on with --resume"
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


def _require_matplotlib() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("Matplotlib", "train")


def _require_keras() -> None:
    """Raise MissingExtraError, or RunError for another backend, unless Keras and its backend can be imported."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    try:
        import keras  # noqa: F401
    except ModuleNotFoundError as error:
        if backend == "tensorflow" or error.name == "keras":
            raise MissingExtraError("TensorFlow and Keras", "train") from error
        raise RunError(
            f"expected the Keras backend that KERAS_BACKEND names, {backend} is not installed; "
            f"install it with: pip install {backend}"
        ) from error
    except ValueError as error:  # how Keras says that it knows no such backend
        raise RunError(
            f"expected KERAS_BACKEND to be tensorflow, jax or torch, got {backend!r}: {error}"
        ) from error
