"""The command line of ``fer-edge``: parse, build, delegate."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fer_edge._version import __version__

if TYPE_CHECKING:
    from fer_edge.cli.run import RunOptions

__all__ = ["cli"]

_CAMERA_SMOOTHING_S: Final = 0.5


class _Path(click.Path):
    """A path that names something; whether it can be read is seen when it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(readable=False, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not os.fspath(value):
            self.fail("expected a path, got an empty text", param, ctx)
        return super().convert(value, param, ctx)


class _Seconds(click.FloatRange):
    """A finite number of seconds."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"expected seconds, got {value}", param, ctx)
        return seconds


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


_OPTIONS: Final = (
    click.option(
        "-m", "--model", metavar="NAME|PATH", help="Bundled model or .tflite file.  [default: default]"
    ),
    click.option(
        "--detector",
        type=click.Choice(["haar", "mediapipe", "none"]),
        default="haar",
        show_default=True,
        help="How faces are found; none: each picture is one face.",
    ),
    click.option(
        "--detector-model",
        type=_Path(path_type=Path),
        metavar="PATH",
        help="The face detection model of --detector mediapipe.",
    ),
    click.option(
        "--min-face",
        type=click.IntRange(12),
        metavar="PX",
        help="Smallest face to find.  [default: 1/12 of the shorter side; pictures 1/26, at least 24]",
    ),
    click.option(
        "--detect-every",
        type=click.IntRange(1),
        metavar="N",
        help="In video, search whole frames every N.  [default: what changed every 8 or 0.3 s, all every 90]",
    ),
    click.option(
        "--smoothing",
        type=_Seconds(0),
        metavar="SECONDS",
        help="In video, average each face's scores over time.  [default: 0.5 for camera, else 0: off]",
    ),
    click.option("--threads", type=click.IntRange(1), metavar="N", help="Processor threads.  [default: all]"),
    click.option(
        "-o",
        "--output",
        type=_Path(path_type=Path),
        metavar="PATH",
        help="Annotated copy; a folder for several pictures.",
    ),
    click.option(
        "-r",
        "--results",
        multiple=True,
        metavar="PATH",
        help=".jsonl or .csv, may be given twice; - is JSON Lines on standard output.",
    ),
    click.option("--summary", type=_Path(path_type=Path), metavar="PATH", help="JSON summary of the run."),
    click.option("--overwrite", is_flag=True, help="Replace outputs that are already there."),
    click.option(
        "--show/--no-show", default=None, help="A window.  [default: for camera, where there is a display]"
    ),
    click.option(
        "--max-frames", type=click.IntRange(1), metavar="N", help="Stop after N frames or pictures."
    ),
    click.option(
        "--duration",
        type=_Seconds(0, min_open=True),
        metavar="S",
        help="Stop after S seconds of the source.",
    ),
    click.option("--mirror", is_flag=True, help="Flip pictures left to right; coordinates stay."),
    click.option(
        "--debug", is_flag=True, help="Show a traceback with an error, and what the libraries print."
    ),
)


def _run_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@cli.command()
@click.argument("source", default="0")
@_run_options
def camera(source: str, **options: Any) -> None:
    """A camera: an index (default 0), /dev/videoN, or an rtsp:// or http:// URL."""
    from fer_edge.cli.run import run_camera

    if options["smoothing"] is None:
        options["smoothing"] = _CAMERA_SMOOTHING_S
    run_camera(source, _parsed(options))


@cli.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=_Path())
@_run_options
def image(paths: tuple[str, ...], **options: Any) -> None:
    """One or more pictures. With several, --output names a folder."""
    from fer_edge.cli.run import run_images

    run_images(list(paths), _parsed(options))


@cli.command()
@click.argument("directory", metavar="DIR", type=_Path())
@click.option("--recursive", is_flag=True, help="Descend into subfolders.")
@_run_options
def folder(directory: str, recursive: bool, **options: Any) -> None:
    """The pictures of a folder. --output names a folder for annotated copies."""
    from fer_edge.cli.run import run_folder

    run_folder(directory, _parsed(options), recursive=recursive)


@cli.command()
@click.argument("path", type=_Path())
@_run_options
def video(path: str, **options: Any) -> None:
    """A video, every frame: a file, a URL, or - for a stream on standard input."""
    from fer_edge.cli.run import run_video

    run_video(path, _parsed(options))


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
    type=_Path(path_type=Path),
    metavar="PATH",
    help="The face detection model of mediapipe, for --detectors.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Measure on 1 to N processor threads.  [default: all]",
)
@click.option("--summary", type=_Path(path_type=Path), metavar="PATH", help="The figures as JSON.")
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
    from fer_edge.cli.models import model_list, model_text

    click.echo(model_list() if name is None else model_text(name))


def _parsed(options: dict[str, Any]) -> RunOptions:
    from fer_edge.cli.run import RunOptions

    return RunOptions(**options)
