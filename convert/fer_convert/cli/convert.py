"""``fer-convert RUN``, the form without a command name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, get_args

import click

from fer_convert.cli.options import data_option, debug_option, require_training_packages, show_progress
from fer_convert.cli.splits import split_option
from fer_convert.cli.warnings import warn_about_predictions
from fer_convert.conversion.options import DEFAULT_MAX_DROP, DEFAULT_SAMPLES, ENOUGH_FACES, ConversionOptions
from fer_convert.trained_model import find_trained_model, resolve_data
from fer_edge.cli.messages import say
from fer_edge.errors import AccuracyLossError
from fer_edge.models.spec import Variant
from fer_edge.runtime.shutdown import Terminated
from fer_edge.runtime.staged_folders import check_staged_folder
from fer_train.data.output_place import check_outside_data
from fer_train.evaluation.statistics import SIGNIFICANCE
from fer_train.native_stderr import suppress_native_stderr

if TYPE_CHECKING:
    from fer_convert.conversion.report import ConversionReport, FileReport

__all__ = ["convert"]

_LOG: Final = logging.getLogger(__name__)
_VARIANTS: Final = tuple(variant for variant in get_args(Variant) if variant != "keras")


class _UnnamedContext(click.Context):
    """The context of a command whose name the user does not type."""

    @property
    def command_path(self) -> str:
        return "fer-convert"


class _UnnamedCommand(click.Command):
    context_class = _UnnamedContext


def _parse_variants(_: click.Context, __: click.Parameter, value: str) -> tuple[Variant, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    unknown = [name for name in names if name not in _VARIANTS]
    if unknown:
        raise click.BadParameter(
            f"unknown format {', '.join(map(repr, unknown))}; choose from {', '.join(_VARIANTS)}"
        )
    return cast(tuple[Variant, ...], names)


@click.command("fer-convert", cls=_UnnamedCommand, short_help="The form without a command.")
@click.argument("run", type=click.Path(path_type=Path))
@data_option(
    "FER-2013 in any of its forms, or your own faces.  [default: the training data of the run]",
    required=False,
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    required=True,
    help="Folder to write the files to.",
)
@click.option(
    "--formats",
    "variants",
    callback=_parse_variants,
    default="float32,int8",
    show_default=True,
    metavar="LIST",
    help=f"Comma-separated list of {', '.join(_VARIANTS)}.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=DEFAULT_SAMPLES,
    show_default=True,
    help="Number of Training faces used to calibrate int8.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed for the choice of calibration faces.",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(0),
    default=DEFAULT_MAX_DROP,
    show_default=True,
    metavar="POINTS",
    help="Exit with status 3 if a file loses more accuracy than this and the loss is significant. With fewer than 300 "
    "faces, only warn.",
)
@split_option
@click.option(
    "--spec",
    type=click.Path(path_type=Path),
    help="Model spec of the network.  [default: spec.json next to the network]",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files in DIR.")
@debug_option
def convert(
    run: Path,
    data: Path | None,
    out: Path,
    spec: Path | None,
    max_drop: float,
    split: str | None,
    overwrite: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Convert the network of RUN, a run folder or a .keras file with its spec."""
    require_training_packages()
    source = find_trained_model(run, spec)
    data = resolve_data(source, data)
    check_outside_data(out, data)
    check_staged_folder(out, overwrite=overwrite)
    with suppress_native_stderr(debug):
        from fer_convert.conversion import convert as conversion
        from fer_convert.conversion.table import format_conversion_table
        from fer_train.data.crops import prepare_faces
        from fer_train.data.held_out import choose_split, load_faces_of_model

        try:
            faces = prepare_faces(source.spec, load_faces_of_model(source.spec, data))
            split = choose_split(source.spec, faces, split, str(data))
            report = conversion.convert_model(
                source,
                faces,
                out,
                ConversionOptions(split=split, **options),
                data=str(data),
                overwrite=overwrite,
                progress=show_progress,
            )
        except (KeyboardInterrupt, Terminated):
            say("Interrupted: nothing was written")
            raise
    warn_about_predictions(report["keras"])
    click.echo(format_conversion_table(report))
    click.echo(f"\nWritten to {out}: {', '.join([*report['files'], *conversion.FILES_BESIDE])}")
    _check_drops(report, max_drop, out)


def _check_drops(report: ConversionReport, max_drop: float, out: Path) -> None:
    """Raise AccuracyLossError if a file lost more than ``max_drop`` points.

    The drop must be significant. A drop that is not significant, or that was measured on few faces, is a warning.
    """
    drops = {name: file for name, file in report["files"].items() if file["accuracy_drop_points"] > max_drop}
    is_enough = report["samples"] >= ENOUGH_FACES
    beyond_chance = {name: file for name, file in drops.items() if file["drop_p_value"] < SIGNIFICANCE}
    if is_enough and beyond_chance:
        raise AccuracyLossError(
            f"accuracy on {report['split']} dropped by more than {max_drop:g} points: "
            f"{_list_drops(beyond_chance)}; the files are in {out}; try a different --samples, or allow the drop "
            "with --max-drop"
        )
    if drops:
        why = "which is not significant" if is_enough else "too few to tell whether this is significant"
        _LOG.warning(
            "accuracy on %s dropped by more than %g points: %s, on %s faces, %s",
            report["split"], max_drop, _list_drops(drops), f"{report['samples']:,}", why,
        )  # fmt: skip


def _list_drops(files: Mapping[str, FileReport]) -> str:
    return ", ".join(f"by {file['accuracy_drop_points']:.2f} in {name}" for name, file in files.items())
