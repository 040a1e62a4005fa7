"""``fer-train fit``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fer_edge.cli.completion import complete_model
from fer_edge.errors import UsageError
from fer_edge.runtime.shutdown import Terminated
from fer_train.cli.options import (
    PATH,
    Number,
    debug_option,
    require_keras,
    require_package,
    skip_unreadable_option,
    val_share_option,
)
from fer_train.cli.progress import TrainingBar
from fer_train.data.duplicates import Fold
from fer_train.evaluation.report import format_report
from fer_train.models.initial import find_initial_model
from fer_train.models.loading import locate_model
from fer_train.models.registry import ARCHITECTURES
from fer_train.native_stderr import suppress_native_stderr
from fer_train.training.precision import choose_precision
from fer_train.training.recipes import FINE_TUNE, RECIPES, Recipe, find_recipe
from fer_train.training.run_config import RunConfig
from fer_train.training.run_folder import RunFolder

if TYPE_CHECKING:
    from fer_train.training.run import TrainingRun

__all__ = ["fit"]


@click.command("fit")
@click.argument("data", type=PATH)
@click.option(
    "--arch",
    type=click.Choice(ARCHITECTURES.names),
    default="bn-cnn",
    help="The network; `fer-train archs` describes them.  [default: bn-cnn, or that of --from]",
)
@click.option(
    "--recipe",
    "recipe_name",
    type=click.Choice(list(RECIPES)),
    default="modern",
    help="How it is trained: as in the paper, or better; distill goes with view answers as --teacher, fine-tune with "
    "--from.  [default: modern, or fine-tune]",
)
@click.option(
    "--from",
    "initial",
    type=PATH,
    metavar="MODEL",
    shell_complete=complete_model,
    help="Begin with the weights of a bundled model (default, accurate), a run folder, or a .keras or .tflite file; "
    "DATA's labels may be others.",
)
@val_share_option
@click.option(
    "--out", type=PATH, metavar="RUN", required=True, help="The run folder, which must not be there yet."
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
    type=Number(0, min_open=True),
    metavar="MINUTES",
    help="Begin no epoch that would end later; go on with --resume.",
)
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Only N faces of each split, for a quick try."
)
@click.option(
    "--votes", type=PATH, metavar="CSV", help="FER+'s votes (fer2013new.csv), as an auxiliary target."
)
@click.option(
    "--teacher",
    "teachers",
    type=PATH,
    metavar="MODEL",
    multiple=True,
    help="Learn from the probabilities of a trained run, .tflite file or bundled model, or from soft labels "
    "(.npz), too; may be given more than once. For distill: the file of answers about views, made by soft-labels "
    "--views.",
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
    help="balanced: every label weighs the same, however rare.  [default: none; with --from balanced]",
)
@click.option(
    "--mixup",
    type=Number(0, 10),
    metavar="ALPHA",
    help="Mix each picture with another, in shares from Beta(ALPHA, ALPHA); 0: not.  [default: the recipe's]",
)
@click.option(
    "--fold",
    metavar="K/N",
    help="Leave the K-th of N parts of Training out and measure on it, instead of on PublicTest.",
)
@click.option(
    "--objective",
    "objectives",
    metavar="NAME",
    multiple=True,
    help="Learn from an objective that another package adds; may be given more than once.",
)
@click.option("--overwrite", is_flag=True, help="Replace the run that RUN holds.")
@skip_unreadable_option
@debug_option
@click.pass_context
def fit(
    context: click.Context,
    /,
    data: Path,
    out: Path,
    resume: bool,
    stop_after: float | None,
    overwrite: bool,
    skip_unreadable: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Train a network and write the run folder RUN."""
    if resume and overwrite:
        raise UsageError("expected --resume or --overwrite, got both; the one goes on, the other starts anew")
    if options["fold"] is not None:
        options["fold"] = str(Fold.parse(options["fold"]))
    with suppress_native_stderr(debug):
        require_keras()
        for module, name in (
            ("pandas", "pandas"),
            ("matplotlib", "Matplotlib"),
            ("tensorboardX", "tensorboardX"),
        ):
            require_package(module, name)
        from fer_train.training.run import resume_run, start_run

        if options["initial"] is not None:
            options |= _choose_for_initial(context, options)
        elif options["recipe_name"] == FINE_TUNE and not resume:
            raise UsageError(
                f"the recipe {FINE_TUNE} begins with a trained network; name one with --from, such as default"
            )
        config, recipe = _build_run_config(**options)
        _check_targets(config, recipe, resume=resume)
        folder = RunFolder(out)
        if resume:
            run = resume_run(folder, data, _list_given(context, config), skip_unreadable=skip_unreadable)
        else:
            run = start_run(
                folder, data, config, recipe, overwrite=overwrite, skip_unreadable=skip_unreadable
            )
        try:
            with TrainingBar() as bar:
                run.train(bar, stop_after_s=None if stop_after is None else 60 * stop_after)
        except (KeyboardInterrupt, Terminated):
            click.echo(f"Interrupted {_describe_state(run)}", err=True)
            raise
    assert run.report is not None
    click.echo(format_report(run.report))
    click.echo(f"\nWritten to {out}" if run.is_complete else f"\nStopped {_describe_state(run)}")


def _choose_for_initial(context: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """The options that follow from ``--from`` where they are not given; raises UsageError where they contradict it."""
    spec = find_initial_model(options["initial"]).spec
    chosen: dict[str, Any] = {"arch": spec.name, "recipe_name": FINE_TUNE}
    for name, option in (("arch", "--arch"), ("recipe_name", "--recipe")):
        if _is_given(context, name) and options[name] != chosen[name]:
            raise UsageError(
                f"--from {options['initial']} goes with {option} {chosen[name]}, not {options[name]}; "
                f"leave {option} out"
            )
    if not _is_given(context, "class_weights"):
        chosen["class_weights"] = "balanced"
    return chosen


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _build_run_config(
    *,
    arch: str,
    recipe_name: str,
    epochs: int | None,
    batch_size: int | None,
    votes: Path | None,
    teachers: tuple[Path, ...],
    mixup: float | None,
    objectives: tuple[str, ...],
    initial: Path | None,
    **others: Any,
) -> tuple[RunConfig, Recipe]:
    """What decides the outcome of the run, and its recipe; ``others`` are stored as they are."""
    recipe = choose_precision(find_recipe(recipe_name, arch)).resize(epochs, batch_size)
    if mixup is not None:
        recipe = replace(recipe, mixup=mixup)
    config = RunConfig(
        arch=arch,
        recipe=recipe_name,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        votes=None if votes is None else str(votes.absolute()),
        teachers=[locate_model(teacher) for teacher in teachers],
        mixup=recipe.mixup,
        objectives=list(objectives),
        initial=None if initial is None else locate_model(initial),
        **others,
    )
    return config, recipe


def _check_targets(config: RunConfig, recipe: Recipe, *, resume: bool) -> None:
    """Raise UsageError where the recipe cannot use what it is given, or is not given what it needs."""
    if config.teachers and not recipe.teacher_weight:
        raise UsageError(
            f"expected a recipe that learns from a --teacher, {config.recipe} makes no use of one"
        )
    if config.labels == "ferplus" and config.votes is None and not resume:
        raise UsageError("expected --votes (fer2013new.csv) for --labels ferplus, got none")
    if config.votes is not None and config.labels == "fer" and not recipe.votes_weight:
        raise UsageError(f"expected a recipe that learns from --votes, {config.recipe} makes no use of them")


def _describe_state(run: TrainingRun) -> str:
    done = len(run.trainer.history)
    if not done:
        return f"before the first epoch's end; begin again with --resume --out {run.folder.path}"
    return (
        f"after {done} of {run.recipe.epochs} epochs; {run.folder.path} holds what they gave, "
        "go on with --resume"
    )


def _list_given(context: click.Context, config: RunConfig) -> dict[str, Any]:
    """The options of a run that the command line names, by their name in ``RunConfig``."""
    names = {"recipe_name": "recipe"}
    return {
        names.get(name, name): getattr(config, names.get(name, name))
        for name in context.params
        if hasattr(config, names.get(name, name)) and _is_given(context, name)
    }
