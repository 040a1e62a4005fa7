"""``fer-train fit``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fer_edge.cli.completion import complete_model
from fer_edge.cli.messages import say
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
from fer_train.data.output_place import check_outside_data
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
    help="Network architecture; see `fer-train archs`.  [default: bn-cnn, or the one of --from]",
)
@click.option(
    "--recipe",
    "recipe_name",
    type=click.Choice(list(RECIPES)),
    default="modern",
    help="Training recipe: as in the paper, or modern, which is more accurate. distill needs view answers as "
    "--teacher; fine-tune needs --from.  [default: modern; fine-tune with --from]",
)
@click.option(
    "--from",
    "initial",
    type=PATH,
    metavar="MODEL",
    shell_complete=complete_model,
    help="Start from the weights of a bundled model (default, accurate), a run folder, or a .keras or .tflite file. "
    "DATA may have different labels.",
)
@val_share_option
@click.option(
    "--out",
    type=PATH,
    metavar="RUN",
    required=True,
    help="Run folder to write. It must not exist yet, unless --overwrite or --resume is given.",
)
@click.option("--epochs", type=click.IntRange(1), help="Number of epochs.  [default: the recipe's]")
@click.option("--batch-size", type=click.IntRange(1), help="Images per batch.  [default: the recipe's]")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Seed for all random numbers.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue RUN after its last finished epoch, with the options stored in it.",
)
@click.option(
    "--stop-after",
    type=Number(0, min_open=True),
    metavar="MINUTES",
    help="Start no epoch that would end after this time; continue later with --resume.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="Use only N faces of each split, for a quick trial run.",
)
@click.option(
    "--votes", type=PATH, metavar="CSV", help="FER+ votes (fer2013new.csv), as an additional target."
)
@click.option(
    "--teacher",
    "teachers",
    type=PATH,
    metavar="MODEL",
    multiple=True,
    help="Also learn from the probabilities of a trained run, .tflite file or bundled model, or from soft labels "
    "(.npz). May be given more than once. For distill: the view answers that soft-labels --views wrote.",
)
@click.option(
    "--labels",
    type=click.Choice(["fer", "ferplus"]),
    default="fer",
    show_default=True,
    help="The labels of DATA, or (ferplus) the eight FER+ labels by majority of the --votes.",
)
@click.option(
    "--class-weights",
    type=click.Choice(["none", "balanced"]),
    default="none",
    help="balanced gives every label the same weight, however rare.  [default: none; balanced with --from]",
)
@click.option(
    "--mixup",
    type=Number(0, 10),
    metavar="ALPHA",
    help="Mixup: blend each image with another, in a ratio from Beta(ALPHA, ALPHA). 0 turns it off.  "
    "[default: the recipe's]",
)
@click.option(
    "--fold",
    metavar="K/N",
    help="Cross-validation: hold out the K-th of N parts of Training and evaluate on that part instead of PublicTest.",
)
@click.option(
    "--objective",
    "objectives",
    metavar="NAME",
    multiple=True,
    help="Add an objective that another package provides. May be given more than once.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing run in RUN.")
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
        raise UsageError(
            "--resume and --overwrite contradict each other; --resume continues the run, --overwrite starts over"
        )
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
                f"the recipe {FINE_TUNE} starts from a trained network; choose one with --from, such as --from default"
            )
        config, recipe = _build_run_config(**options)
        _check_targets(config, recipe, resume=resume)
        check_outside_data(out, data)
        folder = RunFolder(out)
        with folder.lock():
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
                say(f"Interrupted {_describe_state(run)}")
                raise
    assert run.report is not None
    click.echo(format_report(run.report))
    click.echo(f"\nWritten to {out}" if run.is_complete else f"\nStopped {_describe_state(run)}")


def _choose_for_initial(context: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that ``--from`` implies.

    Raises UsageError if given ones contradict it.
    """
    spec = find_initial_model(options["initial"]).spec
    chosen: dict[str, Any] = {"arch": spec.name, "recipe_name": FINE_TUNE}
    for name, option in (("arch", "--arch"), ("recipe_name", "--recipe")):
        if _is_given(context, name) and options[name] != chosen[name]:
            raise UsageError(
                f"--from {options['initial']} requires {option} {chosen[name]}, not {options[name]}; "
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
    """Return the run's configuration and its recipe; ``others`` are stored unchanged."""
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
    """Raise UsageError if the targets do not match the recipe.

    The recipe may not use a given target, or lack one that it needs.
    """
    if config.teachers and not recipe.teacher_weight:
        raise UsageError(
            f"the recipe {config.recipe} does not use a --teacher; leave it out or choose another --recipe"
        )
    if config.labels == "ferplus" and config.votes is None and not resume:
        raise UsageError("--labels ferplus needs the FER+ votes; add --votes fer2013new.csv")
    if config.votes is not None and config.labels == "fer" and not recipe.votes_weight:
        raise UsageError(
            f"the recipe {config.recipe} does not use --votes; leave them out or choose another --recipe"
        )


def _describe_state(run: TrainingRun) -> str:
    done = len(run.trainer.history)
    if not done:
        return f"before the first epoch ended; start again with --resume --out {run.folder.path}"
    return (
        f"after {done} of {run.recipe.epochs} epochs, which are saved in {run.folder.path}; "
        "continue with --resume"
    )


def _list_given(context: click.Context, config: RunConfig) -> dict[str, Any]:
    """Return the options given on the command line, by their ``RunConfig`` name."""
    names = {"recipe_name": "recipe"}
    return {
        names.get(name, name): getattr(config, names.get(name, name))
        for name in context.params
        if hasattr(config, names.get(name, name)) and _is_given(context, name)
    }
