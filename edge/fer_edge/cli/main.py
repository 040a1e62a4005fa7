"""The commands of ``fer-edge``: parse the arguments and call the implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from fer_edge._version import __version__
from fer_edge.cli.completion import complete_model
from fer_edge.cli.options import (
    NonEmptyPath,
    archive_options,
    camera_options,
    run_options,
    single_option,
    tls_options,
)

__all__ = ["cli"]

_CAMERA_SMOOTHING_S: Final = 0.5


class _Commands(click.Group):
    """A group that lists its commands in the order of their definition."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.commands and (Path(name).exists() or "://" in name):
            raise click.UsageError(
                f"missing command before {name!r}; try: fer-edge {_command_for(name)} {name}", ctx
            )
        return super().resolve_command(ctx, args)


def _command_for(path: str) -> str:
    """Return the name of the command that reads a path or URL."""
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
    """Recognize facial emotions in images, videos and camera streams on this device.

    \b
    fer-edge camera                            show the first camera in a window
    fer-edge image face.jpg -o annotated.jpg
    fer-edge folder photos -o out -r rows.csv
    fer-edge video input.mp4 -o output.mp4 -r rows.jsonl
    fer-edge report rows.jsonl -o report.html  turn results into a page with charts
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
    """Recognize emotions in the live video of a camera.

    SOURCE is the index of a camera (default: 0), /dev/videoN, an rtsp:// or http:// URL, or picamera.
    """
    if options["smoothing"] is None:
        options["smoothing"] = _CAMERA_SMOOTHING_S
    from fer_edge.cli.inputs import open_camera
    from fer_edge.cli.run import RunOptions, run

    inputs = open_camera(source, size=size, rate=rate, rotate=int(rotate or 0), reconnect_s=reconnect)
    run(inputs, RunOptions(**options))


@cli.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=NonEmptyPath())
@run_options
def image(paths: tuple[str, ...], **options: Any) -> None:
    """Recognize emotions in images.

    PATH is an image file, a folder or a pattern such as '*.jpg'. With several images, --output is a folder.
    """
    from fer_edge.cli.inputs import open_images
    from fer_edge.cli.run import RunOptions, run

    run(open_images(paths), RunOptions(**options))


@cli.command()
@click.argument("directory", metavar="DIR", type=NonEmptyPath())
@click.option("--recursive", is_flag=True, help="Include subfolders.")
@run_options
def folder(directory: str, recursive: bool, **options: Any) -> None:
    """Recognize emotions in all images of a folder.

    --output is a folder for the annotated copies.
    """
    from fer_edge.cli.inputs import open_folder
    from fer_edge.cli.run import RunOptions, run

    run(open_folder(directory, recursive=recursive, output=options["output"]), RunOptions(**options))


@cli.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=NonEmptyPath())
@run_options
def video(paths: tuple[str, ...], **options: Any) -> None:
    """Recognize emotions in every frame of one or more videos.

    PATH is a video file, a folder, a pattern, a URL, or - for a stream on standard input. With several videos,
    --output is a folder, and each video is a separate source in the results.
    """
    from fer_edge.cli.inputs import expand_videos
    from fer_edge.cli.messages import say
    from fer_edge.cli.run import RunOptions, run_videos

    run_videos(expand_videos(paths, on_left_out=say), RunOptions(**options))


@cli.command()
@click.argument("rows", metavar="ROWS...", nargs=-1, required=True, type=NonEmptyPath())
@single_option(
    "-o",
    "--output",
    type=NonEmptyPath(path_type=Path),
    metavar="FILE.html",
    help="Write the page to this file. It is self-contained and works offline.",
)
@single_option(
    "--png",
    type=NonEmptyPath(path_type=Path),
    metavar="DIR",
    help="Write the charts as PNG images to this folder, one for each source.",
)
@click.option("--overwrite", is_flag=True, help="Replace outputs that already exist.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def report(**options: Any) -> None:
    """Turn the results of earlier runs into a page with charts.

    The charts show which face showed which emotion, when and for how long.

    ROWS are files written by --results (.jsonl, .csv) or by the archive command (.parquet), folders of such files,
    patterns, or - for JSON Lines on standard input. Files of the same camera are combined into one timeline.
    """
    from fer_edge.cli.html_report import ReportOptions, run_report

    run_report(ReportOptions(**options))


@cli.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=NonEmptyPath())
@archive_options
def archive(paths: tuple[str, ...], **options: Any) -> None:
    """Process many videos in parallel into Parquet files.

    Runs on this machine or on a Ray cluster; requires the extra "archive".

    PATH is a video, a folder, a pattern, or a .txt, .csv or .parquet file that lists videos in the column "path".
    Local paths and s3:// and gs:// URLs are supported. Repeat the same command to resume an interrupted run.
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
    help="Bundled model or .tflite file. Repeat to compare several.  [default: all bundled models]",
)
@click.option("--video", metavar="PATH", help="Video to measure on.  [default: a generated video]")
@click.option(
    "--detectors",
    metavar="PATH",
    help="Compare the face detectors instead, on this image, folder or video.",
)
@click.option(
    "--detector-model",
    type=NonEmptyPath(path_type=Path),
    metavar="PATH",
    help="Model file of yunet or mediapipe, for --detectors.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Measure with 1 to N CPU threads.  [default: all]",
)
@single_option(
    "--summary",
    type=NonEmptyPath(path_type=Path),
    metavar="PATH",
    help="Also write the measurements to this JSON file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the measurements as JSON instead of text.")
@click.option("--overwrite", is_flag=True, help="Replace an existing summary.")
@click.option(
    "--debug", is_flag=True, help="Show the traceback of an error and the native output of libraries."
)
def benchmark(**options: Any) -> None:
    """Measure the speed and memory use of models on this device.

    Reports the latency of each stage, frames per second and memory use, and recommends which models this device can
    run at the frame rate of a camera.

    With --detectors, compares the face detectors on your own images: time, faces found and agreement.
    """
    from fer_edge.cli.benchmark import BenchmarkOptions, run_benchmark

    run_benchmark(BenchmarkOptions(**options))


@cli.command()
@click.argument("name", metavar="[NAME|PATH]", required=False, shell_complete=complete_model)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def models(name: str | None, debug: bool) -> None:
    """List the bundled models and face detectors, or show one.

    NAME is a bundled model or a face detector, PATH a .tflite file. Without either, all bundled models and face
    detectors are listed.
    """
    from fer_edge.cli.models import render_model, render_model_list

    click.echo(render_model_list() if name is None else render_model(name))


@cli.command()
@click.argument("name", metavar="NAME")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def get(name: str, debug: bool) -> None:
    """Download the model of a face detector from its publisher.

    NAME is yunet or mediapipe. The file is verified and stored where --detector NAME finds it. No other command of
    fer-edge downloads anything.
    """
    from fer_edge.cli.get import get_detector

    get_detector(name)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@single_option("--mqtt", "broker", metavar="URL", help="Also try to connect to this MQTT broker.")
@tls_options
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def doctor(
    as_json: bool,
    broker: str | None,
    mqtt_ca: Path | None,
    mqtt_cert: Path | None,
    mqtt_key: Path | None,
    debug: bool,
) -> None:
    """Check this machine for problems and suggest how to fix them."""
    from fer_edge.cli.broker import create_tls_files
    from fer_edge.cli.doctor import run_doctor

    files = create_tls_files(broker, mqtt_ca, mqtt_cert, mqtt_key)
    if broker is not None:
        from fer_edge.runtime.process_title import hide_password

        hide_password(broker)
    run_doctor(as_json=as_json, broker=broker, files=files)
