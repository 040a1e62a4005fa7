"""The command line of ``fer-edge``: parse, build, delegate."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from fer_edge._version import __version__
from fer_edge.cli.completion import complete_model
from fer_edge.cli.options import (
    PathThatNames,
    archive_options,
    camera_options,
    run_options,
    tls_options,
)

__all__ = ["cli"]

_CAMERA_SMOOTHING_S: Final = 0.5


class _Commands(click.Group):
    """A group that lists its commands in the order in which they are meant to be read."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.commands and (Path(name).exists() or "://" in name):
            raise click.UsageError(
                f"name a command before {name!r}: fer-edge {_command_for(name)} {name}", ctx
            )
        return super().resolve_command(ctx, args)


def _command_for(path: str) -> str:
    """The command that reads what a path or URL names."""
    from fer_edge.sources.expansion import VIDEO_SUFFIXES

    if Path(path).is_dir():
        names = (entry.suffix.lower() for entry in Path(path).iterdir())
        return "video" if any(name in VIDEO_SUFFIXES for name in names) else "folder"
    if path.startswith(("rtsp://", "rtsps://", "/dev/video")):
        return "camera"
    return "video" if Path(path).suffix.lower() in VIDEO_SUFFIXES or "://" in path else "image"


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
    fer-edge report rows.jsonl -o report.html  what happened, as a page with charts
    """


@cli.command()
@click.argument("source", default="0")
@run_options
@camera_options
def camera(
    source: str,
    size: tuple[int, int] | None,
    rate: float | None,
    rotate: str | None,
    reconnect: float | None,
    **options: Any,
) -> None:
    """A camera: an index (default 0), /dev/videoN, an rtsp:// or http:// URL, or picamera."""
    if options["smoothing"] is None:
        options["smoothing"] = _CAMERA_SMOOTHING_S
    from fer_edge.cli.inputs import open_camera
    from fer_edge.cli.run import RunOptions, run

    inputs = open_camera(source, size=size, rate=rate, rotate=int(rotate or 0), reconnect_s=reconnect)
    run(inputs, RunOptions(**options))


@cli.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=PathThatNames())
@run_options
def image(paths: tuple[str, ...], **options: Any) -> None:
    """Images: files, folders, patterns such as '*.jpg'. With several, --output names a folder."""
    from fer_edge.cli.inputs import open_images
    from fer_edge.cli.run import RunOptions, run

    run(open_images(paths), RunOptions(**options))


@cli.command()
@click.argument("directory", metavar="DIR", type=PathThatNames())
@click.option("--recursive", is_flag=True, help="Descend into subfolders.")
@run_options
def folder(directory: str, recursive: bool, **options: Any) -> None:
    """The images of a folder. --output names a folder for annotated copies."""
    from fer_edge.cli.inputs import open_folder
    from fer_edge.cli.run import RunOptions, run

    run(open_folder(directory, recursive=recursive, output=options["output"]), RunOptions(**options))


@cli.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=PathThatNames())
@run_options
def video(paths: tuple[str, ...], **options: Any) -> None:
    """Videos, every frame: files, folders, patterns, URLs, or - for a stream on standard input.

    With several, --output names a folder, and each is a source of its own in the results.
    """
    from fer_edge.cli.inputs import expand_videos, open_videos
    from fer_edge.cli.run import RunOptions, run, select_videos

    parsed = RunOptions(**options)
    addresses = select_videos(expand_videos(paths), parsed)
    if addresses:
        run(open_videos(addresses, span=parsed.span, resumable=parsed.append), parsed)


@cli.command()
@click.argument("rows", metavar="ROWS...", nargs=-1, required=True, type=PathThatNames())
@click.option(
    "-o",
    "--output",
    type=PathThatNames(path_type=Path),
    metavar="FILE.html",
    help="The page: one file that needs no other, and no network.",
)
@click.option(
    "--png",
    type=PathThatNames(path_type=Path),
    metavar="DIR",
    help="The charts as images, one for each source.",
)
@click.option("--overwrite", is_flag=True, help="Replace outputs that already exist.")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
def report(**options: Any) -> None:
    """A page with charts of what runs wrote: who showed what, when, for how long.

    ROWS are files that --results wrote (.jsonl, .csv) or an archive has
    (.parquet), folders of them, patterns, or - for JSON Lines on standard
    input. The files of one camera become one timeline.
    """
    from fer_edge.cli.html_report import ReportOptions, run_report

    run_report(ReportOptions(**options))


@cli.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=PathThatNames())
@archive_options
def archive(paths: tuple[str, ...], **options: Any) -> None:
    """Many videos, on this machine or a cluster, into Parquet; what is interrupted goes on where it was.

    PATH is a video, a folder, a pattern, or a .txt, .csv or .parquet that lists videos in a column "path"; here or
    at s3:// and gs://. It needs the extra "archive". The same command again does what is missing.
    """
    from fer_edge.cli.archive import ArchiveCommand, run_archive

    run_archive(ArchiveCommand(paths, **options))


@cli.command()
@click.option(
    "-m",
    "--model",
    multiple=True,
    metavar="NAME|PATH",
    shell_complete=complete_model,
    help="Bundled model or .tflite file; several are compared.  [default: all bundled ones]",
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
    help="The face detection model of yunet or mediapipe, for --detectors.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Measure on 1 to N processor threads.  [default: all]",
)
@click.option("--summary", type=PathThatNames(path_type=Path), metavar="PATH", help="The figures as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead.")
@click.option("--overwrite", is_flag=True, help="Replace a summary that is already there.")
@click.option("--debug", is_flag=True, help="Show a traceback with an error, and what the libraries print.")
def benchmark(**options: Any) -> None:
    """Measure models on this device: latency of each stage, frames per second, memory.

    It ends with a recommendation: which of the models this device can run at a camera's pace.

    With --detectors, compare the face detectors on pictures of yours: time, faces found, agreement.
    """
    from fer_edge.cli.benchmark import BenchmarkOptions, run_benchmark

    run_benchmark(BenchmarkOptions(**options))


@cli.command()
@click.argument("name", metavar="[NAME|PATH]", required=False, shell_complete=complete_model)
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
def models(name: str | None, debug: bool) -> None:
    """List the bundled models and the downloaded detectors, or show one of them."""
    from fer_edge.cli.models import render_model, render_model_list

    click.echo(render_model_list() if name is None else render_model(name))


@cli.command()
@click.argument("name", metavar="NAME")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
def get(name: str, debug: bool) -> None:
    """Download a face detector's model from its publisher: yunet or mediapipe.

    It is checked, and put where --detector NAME finds it. Nothing else of fer-edge downloads anything.
    """
    from fer_edge.cli.get import get_detector

    get_detector(name)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
@click.option("--mqtt", "broker", metavar="URL", help="Try to connect to this broker as well.")
@tls_options
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
def doctor(
    as_json: bool,
    broker: str | None,
    mqtt_ca: Path | None,
    mqtt_cert: Path | None,
    mqtt_key: Path | None,
    debug: bool,
) -> None:
    """Find what on this machine would stop fer-edge, and say what to do about it."""
    from fer_edge.cli.broker import create_tls_files
    from fer_edge.cli.doctor import run_doctor

    files = create_tls_files(broker, mqtt_ca, mqtt_cert, mqtt_key)
    if broker is not None:
        from fer_edge.runtime.process_title import hide_password

        hide_password(broker)
    run_doctor(as_json=as_json, broker=broker, files=files)
