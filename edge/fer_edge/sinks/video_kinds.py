"""The supported video file formats and their encoders."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av
from av.codec import Codec, CodecContext

from fer_edge.errors import OutputError, UsageError
from fer_edge.runtime.scheduling import keep_scheduling

__all__ = ["VIDEO_SUFFIXES", "EncoderSettings", "VideoKind", "choose_encoder", "find_video_kind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoKind:
    """A video file format.

    ``name`` is FFmpeg's name. ``encoder`` and ``sound_encoder`` are the default encoders for images and
    sound, and ``options`` are options for the muxer. ``sounds`` are the audio codecs that are copied
    unchanged because players support them in this format. ``pipe_options`` are the muxer options for targets
    that cannot seek. ``fixed_rate``: times are counted in frames at a constant rate. ``edit_list``: the
    format can tell players to skip sound before time 0.
    """

    name: str
    encoder: str
    sound_encoder: str
    sounds: frozenset[str]
    options: dict[str, str]
    pipe_options: dict[str, str]
    fixed_rate: bool = False
    edit_list: bool = False


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """An image encoder: FFmpeg's name, its options and its pixel format."""

    name: str
    options: dict[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"


# Packets are flushed at once, and images do not wait for late sound, so a file left by a killed run plays up
# to its last second. An .mp4 consists of fragments until an ordinary index is written at the end. Its header
# is delayed until the first fragment, so that it states when images and sound begin.
_AT_ONCE: Final = {"flush_packets": "1", "max_interleave_delta": "200000"}
_HYBRID: Final = _AT_ONCE | {"movflags": "+hybrid_fragmented+delay_moov"}
_FRAGMENTS: Final = _AT_ONCE | {"movflags": "+frag_keyframe+delay_moov+default_base_moof"}
_CLUSTERS: Final = _AT_ONCE | {"cluster_time_limit": "1000"}


def _mp4(name: str) -> VideoKind:
    return VideoKind(
        name=name,
        encoder="libx264",
        sound_encoder="aac",
        sounds=frozenset({"aac", "mp3"}),
        options=_HYBRID,
        pipe_options=_FRAGMENTS,
        edit_list=True,
    )


_KINDS: Final = {
    ".mp4": _mp4("mp4"),
    ".m4v": _mp4("mp4"),
    ".mov": _mp4("mov"),
    ".mkv": VideoKind(
        name="matroska",
        encoder="libx264",
        sound_encoder="aac",
        sounds=frozenset({"aac", "ac3", "dts", "eac3", "flac", "mp3", "opus", "pcm_s16le", "vorbis"}),
        options=_CLUSTERS,
        pipe_options=_CLUSTERS,
    ),
    ".webm": VideoKind(
        name="webm",
        encoder="libvpx-vp9",
        sound_encoder="libopus",
        sounds=frozenset({"opus", "vorbis"}),
        options=_CLUSTERS,
        pipe_options=_CLUSTERS,
    ),
    ".avi": VideoKind(
        name="avi",
        encoder="mjpeg",
        sound_encoder="libmp3lame",
        sounds=frozenset({"mp3", "pcm_s16le"}),
        options=_AT_ONCE,
        pipe_options=_AT_ONCE,
        fixed_rate=True,
    ),
}
VIDEO_SUFFIXES: Final = tuple(_KINDS)
"""The file name suffixes of videos that can be written."""

_CONSTANT_QUALITY: Final = {
    "flags": "+qscale",
    "global_quality": str(3 * 118),
}  # 118 FFmpeg units per quality step
_OPTIONS: Final[dict[str, dict[str, str]]] = {
    "libx264": {"preset": "superfast"},
    "libx265": {"preset": "superfast", "x265-params": "log-level=error"},
    "libvpx-vp9": {
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
        "row-mt": "1",
        "crf": "33",
        "b": "0",
    },
    "mjpeg": _CONSTANT_QUALITY,
    "mpeg4": _CONSTANT_QUALITY,
}
# The preset of x264 and x265 is free text, so FFmpeg cannot list its values.
_X264_PRESETS: Final = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
_WITH_X264_PRESETS: Final = frozenset({"libx264", "libx264rgb", "libx265"})
_TRIAL_SIZE: Final = (640, 480)


def find_video_kind(path: Path) -> VideoKind:
    """Return the video format for a file's suffix; raises UsageError if it is unknown."""
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"{path}: unsupported video format; use one of {', '.join(_KINDS)}")
    return kind


def choose_encoder(kind: VideoKind, encoder: str | None = None, preset: str | None = None) -> EncoderSettings:
    """Return the settings of an encoder for a file format.

    Without ``encoder`` or ``preset``, the default of the format or encoder is used. A named encoder is tried
    out. Raises UsageError if a name is unknown, and OutputError if the encoder does not work on this machine,
    for example because it needs other hardware.
    """
    name = encoder or kind.encoder
    if encoder is not None:
        usable = _encoders_for(kind)
        if name not in usable:
            raise UsageError(f"unknown encoder {name!r} for {kind.name}; choose one of: {', '.join(usable)}")
    options = dict(_OPTIONS.get(name, {}))
    if preset is not None:
        presets = _list_presets(name)
        if preset not in presets:
            if not presets:
                raise UsageError(f"the encoder {name} has no presets; leave the preset {preset!r} out")
            raise UsageError(
                f"unknown preset {preset!r} for the encoder {name}; choose one of: {', '.join(presets)}"
            )
        options["preset"] = preset
    settings = EncoderSettings(name, options, _choose_pixel_format(name))
    if encoder is not None:
        _try(settings)
    return settings


def _encoders_for(kind: VideoKind) -> list[str]:
    """Return the names of the image encoders that a file format supports."""
    supported = av.open(io.BytesIO(), "w", format=kind.name).supported_codecs
    return [name for name in sorted(av.codecs_available & supported) if _is_video_encoder(name)]


def _is_video_encoder(name: str) -> bool:
    try:
        codec = Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return codec.type == "video" and codec.name == name  # the name of a codec selects one of its encoders


def _choose_pixel_format(name: str) -> str:
    formats = [known.name for known in Codec(name, "w").video_formats or ()]
    usual = "yuvj420p" if name == "mjpeg" else "yuv420p"
    return next((known for known in (usual, "nv12", *formats) if known in formats), usual)


def _list_presets(name: str) -> tuple[str, ...]:
    if name in _WITH_X264_PRESETS:
        return _X264_PRESETS
    known: Any = getattr(CodecContext.create(name, "w"), "supported_options", None)  # since PyAV 18
    for option in known.private if known is not None else ():
        if option.name == "preset":
            numbers = range(max(0, int(option.min)), min(100, int(option.max)) + 1)
            return tuple(choice.name for choice in option.choices) or tuple(map(str, numbers))
    return ()


def _try(settings: EncoderSettings) -> None:
    context: Any = CodecContext.create(settings.name, "w")
    context.width, context.height = _TRIAL_SIZE
    context.pix_fmt, context.framerate = settings.pixels, 25
    context.options = dict(settings.options)
    try:
        with keep_scheduling():
            context.open()
    except av.error.FFmpegError as error:
        raise OutputError(
            f"the encoder {settings.name} does not work on this machine: {error.strerror or error}; "
            "choose another or use the default"
        ) from error
