"""The ``fer-convert`` command group and its help."""

from __future__ import annotations

import click

from fer_convert.cli.attach import attach
from fer_convert.cli.convert import convert
from fer_convert.cli.verify import verify
from fer_edge._version import __version__
from fer_edge.cli.app import run_command

__all__ = ["cli", "run"]


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit status.

    An error is printed as one line on standard error.
    """
    return run_command(cli, arguments, "fer-convert")


class _ConvertByDefault(click.Group):
    """A group that converts if no command is named: ``fer-convert RUN …``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return convert.name, convert, args

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Options before RUN belong to the conversion, not to the group.
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
        rows = [record for option in convert.get_params(ctx) if (record := option.get_help_record(ctx))]
        with formatter.section("Options of the conversion"):
            formatter.write_dl(rows)
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(90)) for name, command in self.commands.items()]
            )


@click.group(cls=_ConvertByDefault, commands=[verify, attach])
@click.version_option(__version__, prog_name="fer-convert")
def cli() -> None:
    """Convert a trained network to TFLite files and measure the loss of accuracy.

    RUN is a run folder of fer-train or a .keras file. Each TFLite file contains its model spec (labels, input,
    preprocessing); DIR/conversion.json reports the quality of each file.

    \b
    fer-convert runs/bn-cnn --data fer2013.tar.gz --out models
    fer-convert verify models/int8.tflite --data fer2013.tar.gz
    fer-convert attach other.tflite --spec runs/bn-cnn/spec.json
    """
