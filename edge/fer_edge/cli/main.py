"""The command line of ``fer-edge``: parse, build, delegate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from fer_edge._version import __version__
from fer_edge.cli.options import PathThatNames, run_options

__all__ = ["cli"]

_CAMERA_SMOOTHING_S: Final = 0.5


class _Commands(click.Group):
    """A group that lists its commands in the order in which they are meant to be read."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="fer-edge")
def cli() -> None:
    """Facial emotion recognition that runs where the camera is.

    \b
    fer-edge camera                            the first camera, in a window
    fer-edge image face.jpg -o annotated.jpg
    fer-edge folder photos -o out -r rows.csv
    fer-edge video input.mp4 -o output.mp4 -r rows.jsonl
    """


@cli.command()
@click.argument("source", default="0")
@run_options
def camera(source: str, **options: Any) -> None:
    """A camera: an index (default 0), /dev/videoN, or an rtsp:// or http:// URL."""
    if options["smoothing"] is None:
        options["smoothing"] = _CAMERA_SMOOTHING_S
    _run("camera", [source], options)


@cli.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=PathThatNames())
@run_options
def image(paths: tuple[str, ...], **options: Any) -> None:
    """One or more pictures. With several, --output names a folder."""
    _run("images", paths, options)


@cli.command()
@click.argument("directory", metavar="DIR", type=PathThatNames())
@click.option("--recursive", is_flag=True, help="Descend into subfolders.")
@run_options
def folder(directory: str, recursive: bool, **options: Any) -> None:
    """The pictures of a folder. --output names a folder for annotated copies."""
    from fer_edge.cli.run import RunOptions, open_folder, run

    run(open_folder(directory, recursive=recursive, output=options["output"]), RunOptions(**options))


@cli.command()
@click.argument("path", type=PathThatNames())
@run_options
def video(path: str, **options: Any) -> None:
    """A video, every frame: a file, a URL, or - for a stream on standard input."""
    _run("video", [path], options)


@cli.command()
@click.option(
    "-m",
    "--model",
    multiple=True,
    metavar="NAME|PATH",
    help="Bundled model or .tflite file; several are compared.  [default: default]",
)
@click.option("--video", metavar="PATH", help="A video to measure on.  [default: one made for it]")
@click.option(
    "--detectors",
    metavar="PATH",
    help="Compare the face detectors instead, on a picture, a folder or a video of yours.",
)
@click.option(
    "--detector-model",
    type=PathThatNames(path_type=Path),
    metavar="PATH",
    help="The face detection model of mediapipe, for --detectors.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Measure on 1 to N processor threads.  [default: all]",
)
@click.option("--summary", type=PathThatNames(path_type=Path), metavar="PATH", help="The figures as JSON.")
@click.option("--overwrite", is_flag=True, help="Replace a summary that is already there.")
@click.option("--debug", is_flag=True, help="Show a traceback with an error, and what the libraries print.")
def benchmark(**options: Any) -> None:
    """Measure models on this device: latency of each stage, frames per second, memory.

    With --detectors, compare the face detectors on pictures of yours: time, faces found, agreement.
    """
    from fer_edge.cli.benchmark import BenchmarkOptions, run_benchmark

    run_benchmark(BenchmarkOptions(**options))


@cli.command()
@click.argument("name", metavar="[NAME|PATH]", required=False)
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
def models(name: str | None, debug: bool) -> None:
    """List the bundled models, or show one model's contract."""
    from fer_edge.cli.models import render_model, render_model_list

    click.echo(render_model_list() if name is None else render_model(name))


def _run(kind: str, addresses: Sequence[str], options: dict[str, Any]) -> None:
    from fer_edge.cli.run import RunOptions, open_inputs, run

    run(open_inputs(kind, *addresses), RunOptions(**options))
