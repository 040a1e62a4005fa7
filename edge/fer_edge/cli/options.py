"""The options that commands share, and the kinds of values that they take."""

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

_CLOCK_TIME: Final = re.compile(
    r"(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+(?:\.\d*)?|\.\d+)", re.ASCII
)

_SIZE: Final = re.compile(r"(?P<width>\d{1,5})[x×X](?P<height>\d{1,5})", re.ASCII)

__all__ = [
    "PathThatNames",
    "RegistryChoice",
    "Seconds",
    "archive_options",
    "camera_options",
    "run_options",
    "tls_options",
]


if TYPE_CHECKING:
    _ParamType = click.ParamType[str]
else:
    _ParamType = click.ParamType  # not generic before Click 8.4


class RegistryChoice(_ParamType):
    """A name of a registry, which is imported, and asked for what other packages added, when it is needed."""

    name = "choice"

    def __init__(self, module: str, registry: str) -> None:
        self._module, self._table = module, registry

    @property
    def names(self) -> tuple[str, ...]:
        """The names to choose from."""
        names: tuple[str, ...] = getattr(importlib.import_module(self._module), self._table).names
        return names

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The names as a usage line shows them."""
        return f"[{'|'.join(self.names)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse a name that is not in the registry."""
        if value not in self.names:
            self.fail(f"{value!r} is not one of {', '.join(map(repr, self.names))}.", param, ctx)
        return value


class RegisteredTarget(_ParamType):
    """A file whose suffix is a name of a registry, or ``NAME:target``; checked where the sink is made."""

    name = "target"

    def __init__(self, module: str, registry: str) -> None:
        self._choice = RegistryChoice(module, registry)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The suffixes as a usage line shows them."""
        return f"PATH.[{'|'.join(self._choice.names)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take the text as it is."""
        return value


class PathThatNames(click.Path):
    """A path that names something; whether it can be read is seen when it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(readable=False, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty text."""
        if not os.fspath(value):
            self.fail("expected a path, got an empty text", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(click.FloatRange):
    """A finite number of seconds."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is infinite or not a number."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"expected seconds, got {value}", param, ctx)
        return seconds


class Size(_ParamType):
    """A width and height in pixels, given as WxH."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Width and height of ``1280x720``."""
        match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            self.fail(f"expected width and height, such as 1280x720, got {value!r}", param, ctx)
        size = int(match["width"]), int(match["height"])
        if min(size) < 16 or max(size) > 1 << 14:
            self.fail(f"expected 16 to 16384 pixels, got {value!r}", param, ctx)
        return size


class ClockTime(_ParamType):
    """A time of a source's clock in seconds, given as seconds or as [hh:]mm:ss."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Seconds of ``90``, ``1:30`` or ``0:01:30.5``."""
        if isinstance(value, float):
            return value
        match = _CLOCK_TIME.fullmatch(value.strip())
        if match is None:
            self.fail(f"expected seconds or [hh:]mm:ss, such as 90 or 1:30, got {value!r}", param, ctx)
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        if (match["minutes"] is not None and seconds >= 60) or (match["hours"] is not None and minutes >= 60):
            self.fail(f"expected minutes and seconds below 60, got {value!r}", param, ctx)
        return 3600 * hours + 60 * minutes + seconds


def _configure_messages(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Take one of the options that say how much is said on standard error, together with the others."""
    from fer_edge.cli.messages import configure_messages

    chosen = context.meta.setdefault("messages", {})
    chosen[parameter.name] = value
    if chosen.get("verbose") and chosen.get("quiet"):
        raise click.UsageError("--verbose and --quiet contradict each other; give one of them", context)
    configure_messages(**chosen)


_TLS_OPTIONS: Final = (
    click.option(
        "--mqtt-ca",
        type=PathThatNames(path_type=Path),
        metavar="FILE",
        help="Certificate (PEM) of the authority that signed the broker's.  [default: the system's]",
    ),
    click.option(
        "--mqtt-cert",
        type=PathThatNames(path_type=Path),
        metavar="FILE",
        help="Certificate (PEM) to show the broker.",
    ),
    click.option(
        "--mqtt-key",
        type=PathThatNames(path_type=Path),
        metavar="FILE",
        help="Its key, if it is not in there.",
    ),
)

_ANALYSIS: Final = (
    click.option(
        "-m",
        "--model",
        shell_complete=complete_model,
        metavar="NAME|PATH",
        help="Bundled model (default: fast; accurate: right more often) or .tflite file.  [default: default]",
    ),
    click.option(
        "--detector",
        type=RegistryChoice("fer_edge.detectors.registry", "DETECTORS"),
        default="haar",
        show_default=True,
        help="How faces are found; none: each picture is one face.",
    ),
    click.option(
        "--detector-model",
        type=PathThatNames(path_type=Path),
        metavar="PATH",
        help="The face detector's model, instead of the one that fer-edge get downloads (yunet, mediapipe).",
    ),
    click.option(
        "--min-face",
        type=click.IntRange(12),
        metavar="PX",
        help="Smallest face to find.  [default: the detector's; haar: 1/12 of the shorter side, still images 1/26]",
    ),
    click.option(
        "--detect-every",
        type=click.IntRange(1),
        metavar="N",
        help="In video, search whole frames every N.  [default: what changed every 8 or 0.3 s, all every 90]",
    ),
    click.option(
        "--smoothing",
        type=Seconds(0),
        metavar="SECONDS",
        help="In video, average each face's scores over time.  [default: 0.5 for camera, else 0: off]",
    ),
    click.option(
        "--flip-average/--no-flip-average",
        default=None,
        help="Average each face's scores and its mirror image's.  [default: off]",
    ),
    click.option("--threads", type=click.IntRange(1), metavar="N", help="Processor threads.  [default: all]"),
)

_OVERWRITE: Final = click.option("--overwrite", is_flag=True, help="Replace outputs that are already there.")

_EVERY: Final = click.option(
    "--every",
    type=Seconds(0, min_open=True),
    metavar="SECONDS",
    help="One row set per that time, its scores averaged; every frame is still looked at.",
)

_SPAN: Final = (
    click.option(
        "--start",
        type=ClockTime(),
        metavar="T",
        help="Begin at that time of a video: seconds or [hh:]mm:ss.",
    ),
    click.option("--end", type=ClockTime(), metavar="T", help="End before that time of a video."),
)

_MESSAGES: Final = (
    click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        is_eager=True,  # so that errors of other options are said like that
        callback=_configure_messages,
        help="Say more on standard error; -vv: details.",
    ),
    click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_configure_messages,
        help="Say nothing but errors there.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        expose_value=False,
        is_eager=True,
        callback=_configure_messages,
        help="How it is said there; json: an object a line.",
    ),
    click.option(
        "--debug", is_flag=True, help="Show a traceback with an error, and what the libraries print."
    ),
)

_OPTIONS: Final = (
    *_ANALYSIS,
    click.option(
        "-o",
        "--output",
        type=PathThatNames(),
        metavar="PATH",
        help="Annotated copy; a folder for several pictures.",
    ),
    click.option(
        "-r",
        "--results",
        multiple=True,
        type=RegisteredTarget("fer_edge.sinks.registry", "ROW_SINKS"),
        help="File with one of these suffixes, or NAME:TARGET; may be given twice; - is JSON Lines on standard "
        "output.",
    ),
    click.option(
        "--summary", type=PathThatNames(path_type=Path), metavar="PATH", help="JSON summary of the run."
    ),
    _OVERWRITE,
    click.option(
        "--append",
        is_flag=True,
        help="Continue results files; videos that are complete in them are skipped.",
    ),
    click.option(
        "--keep-days",
        type=Seconds(0, min_open=True),
        metavar="N",
        help="Of a camera's outputs with the time in their names, delete files that are older.",
    ),
    click.option(
        "--keep-gb",
        type=Seconds(0, min_open=True),
        metavar="N",
        help="Of these outputs, delete the oldest files until all take no more than N GB.",
    ),
    _EVERY,
    click.option(
        "--show/--no-show", default=None, help="A window.  [default: for camera, where there is a display]"
    ),
    click.option(
        "--serve",
        metavar="[HOST:]PORT",
        help="A live view in a browser, of a camera or video; another host than this machine's own needs a token.",
    ),
    click.option(
        "--max-frames", type=click.IntRange(1), metavar="N", help="Stop after N frames or pictures."
    ),
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
        help="Another encoder of FFmpeg's for an annotated video.  [default: libx264]",
    ),
    click.option("--preset", metavar="NAME", help="Its speed against size.  [default: superfast]"),
    click.option("--ids", is_flag=True, help="Draw each face's id beside its label."),
    click.option(
        "--faces",
        type=PathThatNames(),
        metavar="DIR",
        help="A picture of each face, one a second at most.",
    ),
    click.option(
        "--anonymize",
        type=click.Choice(["blur", "pixelate"]),
        help="Hide every face in every image that is written or shown.",
    ),
    click.option(
        "--when",
        "rules",
        multiple=True,
        metavar="RULE",
        help="Such as 'happy > 0.8 for 2s' or 'no face for 60s'; each with a --then.",
    ),
    click.option(
        "--then",
        "actions",
        multiple=True,
        metavar="ACTION",
        help="What the rule starts: print, exec:COMMAND, https://URL or, with --mqtt, mqtt:TOPIC.",
    ),
    click.option(
        "--mqtt",
        metavar="URL",
        help="Publish rows, state and events to mqtt[s]://[user:password@]host[:port]/topic.",
    ),
    *_TLS_OPTIONS,
    click.option("--mirror", is_flag=True, help="Flip pictures left to right; coordinates stay."),
    *_MESSAGES,
)


_ARCHIVE: Final = (
    click.option(
        "--out",
        required=True,
        type=PathThatNames(),
        metavar="DIR",
        help="The archive's folder, or s3://… or gs://…; the same command goes on with it.",
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
        help="Cut longer videos into pieces for several workers; 0: never.",
    ),
    *_ANALYSIS,
    _EVERY,
    *_SPAN,
    _OVERWRITE,
    *_MESSAGES,
)


def archive_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of an archive."""
    for option in reversed(_ARCHIVE):
        function = option(function)
    return function


def run_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that camera, image, folder and video share."""
    return _decorate(function, _OPTIONS)


def tls_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the files with which ``--mqtt`` takes a broker with TLS."""
    return _decorate(function, _TLS_OPTIONS)


_CAMERA_OPTIONS: Final = (
    click.option("--size", type=Size(), metavar="WxH", help="Ask the camera for that size in pixels."),
    click.option(
        "--rate",
        type=Seconds(0, 1000, min_open=True),
        metavar="FPS",
        help="Ask the camera for so many frames a second.",
    ),
    click.option(
        "--rotate",
        type=click.Choice(["90", "180", "270"]),
        help="Turn each frame clockwise by so many degrees; coordinates are those of the turned frame.",
    ),
    click.option(
        "--reconnect",
        type=Seconds(0),
        metavar="SECONDS",
        help="Try so long for a camera that is lost, or not there yet; 0: not.  [default: URLs for ever, devices 30]",
    ),
)


def camera_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that are about a camera alone."""
    return _decorate(function, _CAMERA_OPTIONS)


def _decorate(
    function: Callable[..., None], options: Sequence[Callable[..., Callable[..., None]]]
) -> Callable[..., None]:
    for option in reversed(options):
        function = option(function)
    return function
