"""Options shared by several commands, and their parameter types."""

from __future__ import annotations

import importlib
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fer_edge.cli.completion import complete_model
from fer_edge.cli.message_options import MESSAGE_OPTIONS
from fer_edge.errors import UsageError
from fer_edge.sources.urls import redact_credentials

_CLOCK_TIME: Final = re.compile(
    r"(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+(?:\.\d*)?|\.\d+)", re.ASCII
)

_SIZE: Final = re.compile(r"(?P<width>\d{1,5})[x×X](?P<height>\d{1,5})", re.ASCII)

__all__ = [
    "NonEmptyPath",
    "RegistryChoice",
    "Seconds",
    "archive_options",
    "camera_options",
    "run_options",
    "single_option",
    "tls_options",
]


if TYPE_CHECKING:
    _ParamType = click.ParamType[str]
else:
    _ParamType = click.ParamType  # not generic before Click 8.4


def single_option(*names: str, **attributes: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare an option for an output, which may be given only once.

    Of other options, the last value applies, so that a script can override a default. Of an output, no value may
    be ignored.
    """

    def take(context: click.Context, option: click.Parameter, values: tuple[Any, ...]) -> Any:
        if len(values) > 1:
            given = ", ".join(map(redact_credentials, map(str, values)))
            raise UsageError(f"{option.opts[-1]} can be given only once, got {given}; leave out all but one")
        return values[0] if values else None

    return click.option(*names, multiple=True, callback=take, **attributes)


class RegistryChoice(_ParamType):
    """A name in a registry, including names that other packages add.

    The registry is imported on first use, to keep the start of the program fast.
    """

    name = "choice"

    def __init__(self, module: str, registry: str) -> None:
        self._module, self._table = module, registry

    @property
    def names(self) -> tuple[str, ...]:
        """The valid names."""
        names: tuple[str, ...] = getattr(importlib.import_module(self._module), self._table).names
        return names

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return the names in the format of a usage line."""
        return f"[{'|'.join(self.names)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Reject a name that is not in the registry."""
        if value not in self.names:
            self.fail(f"{value!r} is not one of {', '.join(map(repr, self.names))}.", param, ctx)
        return value


class RegisteredTarget(_ParamType):
    """A file whose suffix is a name in a registry, or ``NAME:target``.

    The value is validated when the sink is created.
    """

    name = "target"

    def __init__(self, module: str, registry: str) -> None:
        self._choice = RegistryChoice(module, registry)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return the suffixes in the format of a usage line."""
        return f"PATH.[{'|'.join(self._choice.names)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text unchanged."""
        return value


class NonEmptyPath(click.Path):
    """A path that is not empty; it is not checked for readability here."""

    def __init__(self, **options: Any) -> None:
        super().__init__(readable=False, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Reject an empty string."""
        if not os.fspath(value):
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(click.FloatRange):
    """A finite number of seconds."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Reject infinity and NaN."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"expected a finite number, got {value}", param, ctx)
        return seconds


class Size(_ParamType):
    """A width and height in pixels, given as WxH."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse a size such as ``1280x720``."""
        match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            self.fail(f"expected width and height, such as 1280x720, got {value!r}", param, ctx)
        size = int(match["width"]), int(match["height"])
        if min(size) < 16 or max(size) > 1 << 14:
            self.fail(f"width and height must be 16 to 16384 pixels, got {value!r}", param, ctx)
        return size


class ClockTime(_ParamType):
    """A time on a source's clock, given as seconds or as [hh:]mm:ss."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse ``90``, ``1:30`` or ``0:01:30.5`` to seconds."""
        if isinstance(value, float):
            return value
        match = _CLOCK_TIME.fullmatch(value.strip())
        if match is None:
            self.fail(f"expected seconds or [hh:]mm:ss, such as 90 or 1:30, got {value!r}", param, ctx)
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        if (match["minutes"] is not None and seconds >= 60) or (match["hours"] is not None and minutes >= 60):
            self.fail(f"minutes and seconds must be below 60, got {value!r}", param, ctx)
        return 3600 * hours + 60 * minutes + seconds


_TLS_OPTIONS: Final = (
    click.option(
        "--mqtt-ca",
        type=NonEmptyPath(path_type=Path),
        metavar="FILE",
        help="PEM file of the certificate authority that signed the broker's certificate.  "
        "[default: the system's CAs]",
    ),
    click.option(
        "--mqtt-cert",
        type=NonEmptyPath(path_type=Path),
        metavar="FILE",
        help="PEM file of the client certificate to present to the broker.",
    ),
    click.option(
        "--mqtt-key",
        type=NonEmptyPath(path_type=Path),
        metavar="FILE",
        help="PEM file of its private key, if --mqtt-cert does not contain it.",
    ),
)

_ANALYSIS: Final = (
    click.option(
        "-m",
        "--model",
        shell_complete=complete_model,
        metavar="NAME|PATH",
        help='Bundled model ("default" is faster, "accurate" is more accurate) or .tflite file.  '
        "[default: default]",
    ),
    click.option(
        "--detector",
        type=RegistryChoice("fer_edge.detectors.registry", "DETECTORS"),
        default="haar",
        show_default=True,
        help="Face detector. Use none if each image is already a single face.",
    ),
    click.option(
        "--detector-model",
        type=NonEmptyPath(path_type=Path),
        metavar="PATH",
        help="Model file of yunet or mediapipe, instead of the one that fer-edge get downloads.",
    ),
    click.option(
        "--min-face",
        type=click.IntRange(12),
        metavar="PX",
        help="Width of the smallest face to find.  [default: set by the detector; haar: 1/12 of the shorter side, "
        "1/26 for still images]",
    ),
    click.option(
        "--detect-every",
        type=click.IntRange(1),
        metavar="N",
        help="In video, search the whole frame every N frames.  [default: changed regions every 8 frames or 0.3 s, "
        "the whole frame every 90 frames or 3 s, whichever is longer]",
    ),
    click.option(
        "--smoothing",
        type=Seconds(0),
        metavar="SECONDS",
        help="In video, average the scores of each face over this time; 0 turns it off.  [default: 0.5 for camera, "
        "otherwise 0]",
    ),
    click.option(
        "--flip-average/--no-flip-average",
        default=None,
        help="Average the scores of each face with those of its mirror image.  [default: off]",
    ),
    click.option(
        "--threads", type=click.IntRange(1), metavar="N", help="Number of CPU threads.  [default: all]"
    ),
)

_OVERWRITE: Final = click.option("--overwrite", is_flag=True, help="Replace outputs that already exist.")

_EVERY: Final = click.option(
    "--every",
    type=Seconds(0, min_open=True),
    metavar="SECONDS",
    help="Write one set of rows every SECONDS, with averaged scores. Every frame is still analyzed.",
)

_SPAN: Final = (
    click.option(
        "--start",
        type=ClockTime(),
        metavar="T",
        help="Start at this time in the video, in seconds or as [hh:]mm:ss.",
    ),
    click.option("--end", type=ClockTime(), metavar="T", help="Stop before this time in the video."),
)

_MESSAGES: Final = (
    *MESSAGE_OPTIONS,
    click.option(
        "--debug", is_flag=True, help="Show the traceback of an error and the native output of libraries."
    ),
)

_OPTIONS: Final = (
    *_ANALYSIS,
    single_option(
        "-o",
        "--output",
        type=NonEmptyPath(),
        metavar="PATH",
        help="Write an annotated copy to this file, or to this folder if there are several inputs.",
    ),
    click.option(
        "-r",
        "--results",
        multiple=True,
        type=RegisteredTarget("fer_edge.sinks.registry", "ROW_SINKS"),
        help="Write results to a file with one of these suffixes, to NAME:TARGET, or as JSON Lines to standard "
        "output (-). Can be repeated.",
    ),
    single_option(
        "--summary",
        type=NonEmptyPath(path_type=Path),
        metavar="PATH",
        help="Write a summary of the run to this JSON file.",
    ),
    _OVERWRITE,
    click.option(
        "--append",
        is_flag=True,
        help="Append to existing results files and skip videos that are already complete there.",
    ),
    click.option(
        "--keep-days",
        type=Seconds(0, min_open=True),
        metavar="N",
        help="Delete camera outputs with a time in their file name after N days.",
    ),
    click.option(
        "--keep-gb",
        type=Seconds(0, min_open=True),
        metavar="N",
        help="Delete the oldest of these outputs when their total size exceeds N GB.",
    ),
    _EVERY,
    click.option(
        "--show/--no-show",
        default=None,
        help="Show the annotated images in a window.  [default: on for camera if a display is available]",
    ),
    single_option(
        "--serve",
        metavar="[HOST:]PORT",
        help="Serve a live view of a camera or video to browsers. A HOST other than the loopback address requires a "
        "token.",
    ),
    click.option("--max-frames", type=click.IntRange(1), metavar="N", help="Stop after N frames or images."),
    click.option(
        "--duration",
        type=Seconds(0, min_open=True),
        metavar="S",
        help="Stop after S seconds of the source.",
    ),
    *_SPAN,
    click.option(
        "--encoder",
        metavar="NAME",
        help="FFmpeg encoder for the annotated video.  [default: libx264]",
    ),
    click.option(
        "--preset",
        metavar="NAME",
        help="Preset of the encoder, which trades speed against file size.  [default: superfast]",
    ),
    click.option("--ids", is_flag=True, help="Draw the id of each face next to its label."),
    single_option(
        "--faces",
        type=NonEmptyPath(),
        metavar="DIR",
        help="Save a crop of each face to this folder, at most one per second.",
    ),
    click.option(
        "--anonymize",
        type=click.Choice(["blur", "pixelate"]),
        help="Hide every detected face in all images that are written, shown or served.",
    ),
    click.option(
        "--when",
        "rules",
        multiple=True,
        metavar="RULE",
        help="Event rule, such as 'happy > 0.8 for 2s' or 'no face for 60s'. Each rule needs a --then.",
    ),
    click.option(
        "--then",
        "actions",
        multiple=True,
        metavar="ACTION",
        help="Action of the rule: print, exec:COMMAND, https://URL or, with --mqtt, mqtt:TOPIC.",
    ),
    single_option(
        "--mqtt",
        metavar="URL",
        help="Publish rows, state and events to mqtt[s]://[user:password@]host[:port]/topic.",
    ),
    *_TLS_OPTIONS,
    click.option(
        "--mirror", is_flag=True, help="Flip images horizontally; coordinates in results do not change."
    ),
    *_MESSAGES,
)


_ARCHIVE: Final = (
    single_option(
        "--out",
        required=True,
        type=NonEmptyPath(),
        metavar="DIR",
        help="Folder of the archive, or an s3:// or gs:// URL. Repeat the same command to resume it.",
    ),
    click.option(
        "--cluster",
        metavar="ADDRESS",
        help="Join this Ray cluster (HOST:PORT, ray://HOST:PORT, auto).  [default: start Ray on this machine]",
    ),
    click.option(
        "--section",
        type=Seconds(0),
        default=300.0,
        show_default=True,
        metavar="SECONDS",
        help="Split videos longer than this into sections for several workers; 0 never splits.",
    ),
    *_ANALYSIS,
    _EVERY,
    *_SPAN,
    _OVERWRITE,
    *_MESSAGES,
)


def archive_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of ``archive`` to a command."""
    for option in reversed(_ARCHIVE):
        function = option(function)
    return function


def run_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that camera, image, folder and video share to a command."""
    return _decorate(function, _OPTIONS)


def tls_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options for the TLS files of ``--mqtt`` to a command."""
    return _decorate(function, _TLS_OPTIONS)


_CAMERA_OPTIONS: Final = (
    click.option("--size", type=Size(), metavar="WxH", help="Request this frame size from the camera."),
    click.option(
        "--rate",
        type=Seconds(0, 1000, min_open=True),
        metavar="FPS",
        help="Request this frame rate from the camera.",
    ),
    click.option(
        "--rotate",
        type=click.Choice(["90", "180", "270"]),
        help="Rotate each frame clockwise by this many degrees. Coordinates refer to the rotated frame.",
    ),
    click.option(
        "--reconnect",
        type=Seconds(0),
        metavar="SECONDS",
        help="Keep trying to reconnect to a lost camera for this long; 0 does not retry. If given, also wait for a "
        "camera that is missing at the start.  [default: 30 for local cameras, unlimited for URLs]",
    ),
)


def camera_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that only ``camera`` has to a command."""
    return _decorate(function, _CAMERA_OPTIONS)


def _decorate(
    function: Callable[..., None], options: Sequence[Callable[..., Callable[..., None]]]
) -> Callable[..., None]:
    for option in reversed(options):
        function = option(function)
    return function
