"""The command line of ``fer-convert``: parse, call, print, render errors once."""

from __future__ import annotations

import importlib.util
import os
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, cast, get_args

import click

from fer_convert.quantization.calibration_data import DEFAULT_SAMPLES
from fer_edge._version import __version__
from fer_edge.cli.app import run_command
from fer_edge.cli.progress import progress_bar
from fer_edge.errors import AccuracyLossError, ContractError, MissingExtraError
from fer_edge.models.spec import Variant, read_spec
from fer_edge.runtime.shutdown import Terminated
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["cli", "data_option", "debug_option", "progress", "require_training_packages", "run"]

_SPLITS: Final = click.Choice(["Training", "PublicTest", "PrivateTest"])
_VARIANTS: Final = tuple(variant for variant in get_args(Variant) if variant != "keras")


def run(arguments: list[str]) -> int:
    """Run the command line; its exit status. An error is one line on standard error."""
    return run_command(cli, arguments, "fer-convert")


class _ConvertByDefault(click.Group):
    """A group whose own form is a conversion: ``fer-convert RUN …`` needs no command's name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return _convert.name, _convert, args

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Options before RUN are the conversion's, not the group's.
        if args and args[0].startswith("-") and args[0] not in ("--help", "--version"):
            args = ["--", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for form in (
            "RUN --out DIR [OPTIONS]",
            "verify FILE --data DATA [OPTIONS]",
            "attach FILE --spec SPEC",
        ):
            formatter.write_usage("fer-convert", form)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [record for option in _convert.get_params(ctx) if (record := option.get_help_record(ctx))]
        with formatter.section("Options of a conversion"):
            formatter.write_dl(rows)
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(90)) for name, command in self.commands.items()]
            )


def debug_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--debug``, the same for every command."""
    return click.option(
        "--debug", is_flag=True, help="Show TensorFlow's messages, and a traceback with an error."
    )(function)


def data_option(help_text: str, *, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add ``--data``, a path."""
    return click.option(
        "--data", type=click.Path(path_type=Path), metavar="DATA", required=required, help=help_text
    )


_split_option = click.option(
    "--split", type=_SPLITS, default="PublicTest", show_default=True, help="The faces to measure on."
)


@click.group(cls=_ConvertByDefault)
@click.version_option(__version__, prog_name="fer-convert")
def cli() -> None:
    """Turn a trained network into TFLite files, and prove what that cost.

    RUN is a run folder of fer-train, or a .keras file. Every file carries its contract (labels, input,
    preprocessing) inside; DIR/conversion.json says what each is worth.

    \b
    fer-convert runs/bn-cnn --data fer2013.tar.gz --out models
    fer-convert verify models/int8.tflite --data fer2013.tar.gz
    fer-convert attach other.tflite --spec runs/bn-cnn/spec.json
    """


def _variants(_: click.Context, __: click.Parameter, value: str) -> tuple[Variant, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    unknown = [name for name in names if name not in _VARIANTS]
    if unknown:
        raise click.BadParameter(
            f"expected formats of {', '.join(_VARIANTS)}, got {', '.join(map(repr, unknown))}"
        )
    return cast(tuple[Variant, ...], names)


class _OwnForm(click.Context):
    """What the user types has no command's name in it."""

    @property
    def command_path(self) -> str:
        return "fer-convert"


class _Conversion(click.Command):
    context_class = _OwnForm


@click.command("fer-convert", cls=_Conversion, short_help="The form without a command.")
@click.argument("run", type=click.Path(path_type=Path))
@data_option(
    "FER-2013 in any of its forms, or your own faces.  [default: what the run was trained on]", required=False
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Where the files go."
)
@click.option(
    "--formats",
    callback=_variants,
    default="float32,int8",
    show_default=True,
    metavar="LIST",
    help=f"Of {', '.join(_VARIANTS)}; separated by commas.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=DEFAULT_SAMPLES,
    show_default=True,
    help="Training faces that calibrate int8.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which faces those are.")
@click.option(
    "--max-drop",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="POINTS",
    help="Exit with status 3 when a file loses more accuracy than this.",
)
@_split_option
@click.option(
    "--spec", type=click.Path(path_type=Path), help="The network's contract, where it is not beside it."
)
@click.option("--overwrite", is_flag=True, help="Replace files in DIR.")
@debug_option
def _convert(
    run: Path,
    data: Path | None,
    out: Path,
    formats: tuple[Variant, ...],
    samples: int,
    seed: int,
    max_drop: float,
    split: str,
    spec: Path | None,
    overwrite: bool,
    debug: bool,
) -> None:
    """Convert the network of RUN: a run folder, or a .keras file with its spec."""
    from fer_convert.trained_model import data_of, find_source
    from fer_convert.verification.report import conversion_table

    require_training_packages()
    source = find_source(run, spec)
    data = data_of(source, data)
    with suppress_native_stderr(debug):
        from fer_convert.conversion import convert
        from fer_edge.runtime.atomic_files import check_staged_folder
        from fer_train.data.crops import prepare_faces
        from fer_train.data.dataset import load_faces

        check_staged_folder(out, overwrite=overwrite)
        try:
            report = convert(
                source,
                prepare_faces(source.spec, load_faces(data)),
                out,
                data=str(data),
                variants=formats,
                samples=samples,
                seed=seed,
                split=split,
                overwrite=overwrite,
                progress=progress,
            )
        except (KeyboardInterrupt, Terminated):
            click.echo("Interrupted; nothing was written", err=True)
            raise
    click.echo(conversion_table(report))
    click.echo(
        f"\nWritten to {out}: {', '.join(report['files'])}, conversion.json, confusion.png, reliability.png"
    )
    lost = {
        name: file["points_lost"] for name, file in report["files"].items() if file["points_lost"] > max_drop
    }
    if lost:
        raise AccuracyLossError(
            f"expected a loss of at most {max_drop:g} points on {split}, got "
            + ", ".join(f"{points:.2f} in {name}" for name, points in lost.items())
            + f"; the files are kept in {out}: try other --samples, or allow it with --max-drop"
        )


@cli.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@data_option("FER-2013 in any of its forms, or your own faces.", required=True)
@_split_option
@debug_option
def _verify(file: Path, data: Path, split: str, debug: bool) -> None:
    """Measure a file's accuracy and latency on this device; needs no TensorFlow.

    FILE is a .tflite file that carries its contract.
    """
    from fer_convert.verification.report import verification_table
    from fer_convert.verification.verify import verify
    from fer_edge.models.find_model import find_model
    from fer_train.data.crops import prepare_faces
    from fer_train.data.dataset import load_faces

    with suppress_native_stderr(debug):
        model = find_model(file)
        faces = prepare_faces(model.spec, load_faces(data))
        report = verify(model, faces, split, str(data), lambda steps: progress("Verifying", steps))
    click.echo(verification_table(model, report))


@cli.command("attach")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--spec",
    type=click.Path(path_type=Path),
    required=True,
    help="A run's spec.json, or a .tflite file whose contract to take.",
)
@click.option("--overwrite", is_flag=True, help="Replace the contract that FILE has.")
@debug_option
def _attach(file: Path, spec: Path, overwrite: bool, debug: bool) -> None:
    """Give a .tflite file from elsewhere its contract, after checking that it fits.

    FILE is changed in place.
    """
    from fer_convert.tflite.attach import attach

    if spec.is_file() and spec.suffix != ".json" and not zipfile.is_zipfile(spec):
        raise ContractError(
            f"{spec}: expected a run's spec.json, or a .tflite file that carries its contract, it holds neither"
        )
    with suppress_native_stderr(debug):
        model = attach(file, read_spec(spec), overwrite=overwrite)
    labels = ", ".join(model.spec.labels)
    click.echo(
        f"{model.path}: now carries the contract of {model.spec.name} ({model.spec.variant}): {labels}"
    )


def progress(what: str, steps: Iterable[Any]) -> Iterable[Any]:
    """The steps of a long task, counted by a bar on standard error where that is a terminal."""
    return cast(Iterable[Any], progress_bar(steps, desc=f"{what:<19}"))


def require_training_packages() -> None:
    """Raise MissingExtraError where conversion's packages are not installed; imports none of them."""
    # Keras reads its backend once, when it is imported; conversion is TensorFlow's.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    for module, name in (("tensorflow", "TensorFlow"), ("keras", "Keras"), ("matplotlib", "Matplotlib")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(name, "train")
