"""The kinds of video files that are written, and the encoders for them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av
from av.codec import Codec, CodecContext

from fer_edge.errors import OutputError, UsageError
from fer_edge.runtime.scheduling import keep_scheduling

__all__ = ["VIDEO_SUFFIXES", "EncoderSettings", "VideoKind", "choose_encoder", "kind_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoKind:
    """A kind of file: FFmpeg's name of it, its encoders for images and sound, the muxer's options.

    ``sounds`` are the codecs whose sound is copied as it is: those that players take in such a file.
    ``pipe_options`` are the muxer's where the file cannot be gone back in. ``fixed_rate``: times are counted in
    frames of one rate. ``edit_list``: it says which part of the sound before time 0 is not to be heard.
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
    """An encoder for images by FFmpeg's name, its options, and the pixels that it takes."""

    name: str
    options: dict[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"


# What is written is on its way at once, and images do not wait for sound that comes late: a file that is killed
# plays up to its last second. An .mp4 is made of fragments until it gets an ordinary index at its end; its head waits
# for the first fragment, so that it says when images and sound begin.
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
"""What a video can be written as."""

_CONSTANT_QUALITY: Final = {
    "flags": "+qscale",
    "global_quality": str(3 * 118),
}  # 118 of FFmpeg's units a step
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
# x264 and x265 take a text, whose values FFmpeg does not know.
_X264_PRESETS: Final = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
_WITH_X264_PRESETS: Final = frozenset({"libx264", "libx264rgb", "libx265"})
_TRIAL_SIZE: Final = (640, 480)


def kind_of(path: Path) -> VideoKind:
    """The kind of video file that a name's suffix stands for; raises UsageError for any other."""
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"expected a video to write to ({', '.join(_KINDS)}), got {str(path)!r}")
    return kind


def choose_encoder(kind: VideoKind, encoder: str | None = None, preset: str | None = None) -> EncoderSettings:
    """The encoder for such a file, the one that is named or the usual one, at its usual or that preset.

    What is named is tried. Raises UsageError for a name that is unknown, and OutputError for an encoder that
    this machine has no device for.
    """
    name = encoder or kind.encoder
    if encoder is not None:
        usable = _encoders_for(kind)
        if name not in usable:
            raise UsageError(f"no encoder {name!r} for {kind.name}; choose one of: {', '.join(usable)}")
    options = dict(_OPTIONS.get(name, {}))
    if preset is not None:
        presets = _presets_of(name)
        if preset not in presets:
            there = f"choose one of: {', '.join(presets)}" if presets else "it has none; leave it out"
            raise UsageError(f"no preset {preset!r} of the encoder {name}; {there}")
        options["preset"] = preset
    settings = EncoderSettings(name, options, _pixels_of(name))
    if encoder is not None:
        _try(settings)
    return settings


def _encoders_for(kind: VideoKind) -> list[str]:
    """The encoders for images that such a file takes, by name."""
    supported = av.open(io.BytesIO(), "w", format=kind.name).supported_codecs
    return [name for name in sorted(av.codecs_available & supported) if _is_video_encoder(name)]


def _is_video_encoder(name: str) -> bool:
    try:
        codec = Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return codec.type == "video" and codec.name == name  # a format's name leads to one of its encoders


def _pixels_of(name: str) -> str:
    formats = [known.name for known in Codec(name, "w").video_formats or ()]
    usual = "yuvj420p" if name == "mjpeg" else "yuv420p"
    return next((known for known in (usual, "nv12", *formats) if known in formats), usual)


def _presets_of(name: str) -> tuple[str, ...]:
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
            f"the encoder {settings.name} cannot be used on this machine: {error.strerror or error}; "
            "name another or leave it out"
        ) from error
