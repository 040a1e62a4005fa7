"""The annotated video: H.264 that plays everywhere, each frame at its own time, with the source's sound."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import Any, Final

import av
import cv2
import numpy as np

from fer_edge.errors import OutputError, UsageError
from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import (
    check_file,
    check_folder,
    make_folder,
    output_errors,
    staged_file,
)
from fer_edge.sinks.base import Sink, SinkRequest
from fer_edge.sinks.soundtrack import Soundtrack
from fer_edge.sinks.targets import assign_targets
from fer_edge.types import Image, SkippedInput, StreamInfo

__all__ = ["VideoFolderSink", "VideoSink", "create_sink"]


@dataclass(frozen=True, slots=True)
class _Container:
    """A kind of file: FFmpeg's name of it, the encoders for images and sound, the muxer's options.

    ``sounds`` are the codecs whose sound is copied as it is: those that players take in such a file.
    """

    name: str
    encoder: str
    sound_encoder: str
    options: dict[str, str]
    sounds: frozenset[str]


# An ordinary index at the end, fragments until then: a file that is killed plays up to its last second.
_FRAGMENTED: Final = {"movflags": "+hybrid_fragmented+negative_cts_offsets", "flush_packets": "1"}
_FLUSHED: Final = {"flush_packets": "1"}
_IN_MP4: Final = frozenset({"aac", "mp3", "opus", "flac"})
_IN_MATROSKA: Final = _IN_MP4 | {"vorbis", "ac3", "eac3", "dts", "pcm_s16le", "pcm_s24le"}
_CONTAINERS: Final = {
    ".mp4": _Container("mp4", "libx264", "aac", _FRAGMENTED, _IN_MP4),
    ".m4v": _Container("mp4", "libx264", "aac", _FRAGMENTED, _IN_MP4),
    ".mov": _Container("mov", "libx264", "aac", _FRAGMENTED, _IN_MP4),
    ".mkv": _Container("matroska", "libx264", "aac", _FLUSHED, _IN_MATROSKA),
    ".webm": _Container("webm", "libvpx-vp9", "libopus", _FLUSHED, frozenset({"opus", "vorbis"})),
    ".avi": _Container("avi", "mjpeg", "libmp3lame", {}, frozenset({"mp3"})),
}
DEFAULT_PRESET: Final = "superfast"
_TIME_BASE: Final = Fraction(1, 90_000)
_FALLBACK_RATE: Final = 25.0
_LIVE_RATE: Final = 15.0
_KEY_FRAME_S: Final = 1.0
_BT709: Final = 1  # of FFmpeg's matrices, primaries and transfers
_HD_HEIGHT: Final = 720  # from which players expect BT.709


class VideoSink:
    """Writes each frame at its own time, in the size of the first one; others are letterboxed into it.

    ``sound`` is the video whose sound is copied, or encoded where the container cannot hold it as it is.
    ``preset`` is x264's speed against size; ``encoder`` names another one of FFmpeg's.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        sound: str | None = None,
        encoder: str | None = None,
        preset: str = DEFAULT_PRESET,
    ) -> None:
        if path.suffix.lower() not in _CONTAINERS:
            raise UsageError(f"expected a video to write to ({', '.join(_CONTAINERS)}), got {str(path)!r}")
        check_file(path, overwrite=overwrite)
        self._path = path
        self._kind = _CONTAINERS[path.suffix.lower()]
        self._encoder, self._preset = encoder or self._kind.encoder, preset
        self._sound_from = sound
        self._rate = _FALLBACK_RATE
        self._stack = ExitStack()
        self._output: Any = None
        self._stream: Any = None
        self._sound: Soundtrack | None = None
        self._size = (0, 0)
        self._last_pts = -1
        self._key_frame_s = -_KEY_FRAME_S

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Take over the source's nominal rate; the file is opened with the first frame."""
        self._rate = stream.frame_rate or (_LIVE_RATE if stream.live else _FALLBACK_RATE)

    def write(self, result: View | SkippedInput) -> None:
        """Append the frame, and the sound until then."""
        if isinstance(result, SkippedInput):
            return
        image = result.image()
        time_s = result.time_s or 0.0
        if self._output is None:
            self._start(image)
        with self._errors():
            self._encode(image, time_s)
            if self._sound is not None:
                self._sound.write_until(time_s)

    def close(self) -> None:
        """Finish the file; raises OutputError where that fails."""
        if self._output is None:
            return
        # What was written before an error or an interruption is kept.
        with self._stack, self._errors():
            if self._stream is not None:
                for packet in self._stream.encode(None):
                    self._output.mux(packet)
            if self._sound is not None:
                self._sound.close()
            output, self._output = self._output, None
            output.close()

    def _start(self, image: Image) -> None:
        height, width = image.shape[:2]
        self._size = (width + width % 2, height + height % 2)  # H.264 wants even sides
        part = self._stack.enter_context(staged_file(self._path))
        with self._errors():
            self._output = av.open(
                f"file:{part}", "w", format=self._kind.name, options=dict(self._kind.options)
            )
            self._stream = self._add_video_stream()
            if self._sound_from is not None:
                self._sound = Soundtrack.of(
                    self._sound_from, self._output, self._kind.sound_encoder, self._kind.sounds
                )

    def _add_video_stream(self) -> Any:
        rate = Fraction(self._rate).limit_denominator(1001)
        stream = self._output.add_stream(self._encoder, rate=rate)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuvj420p" if self._encoder == "mjpeg" else "yuv420p"
        stream.time_base = stream.codec_context.time_base = (
            1 / rate if self._kind.name == "avi" else _TIME_BASE
        )
        stream.codec_context.gop_size = max(1, round(self._rate * _KEY_FRAME_S))
        if self._encoder == "libx264":
            stream.options = {"preset": self._preset}
        elif self._encoder == "libvpx-vp9":
            stream.options = {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "33", "b": "0"}
        if self._size[1] >= _HD_HEIGHT:
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = _BT709
        return stream

    def _encode(self, image: Image, time_s: float) -> None:
        colors = "ITU709" if self._size[1] >= _HD_HEIGHT else "ITU601"
        frame = av.VideoFrame.from_ndarray(_fit(image, self._size), format="bgr24").reformat(
            format=self._stream.pix_fmt, dst_colorspace=colors, threads=1
        )
        time_base = self._stream.codec_context.time_base
        frame.pts = max(self._last_pts + 1, round(time_s / time_base))
        frame.time_base = time_base
        self._last_pts = frame.pts
        if time_s >= self._key_frame_s + _KEY_FRAME_S:
            frame.pict_type = av.video.frame.PictureType.I
            self._key_frame_s = time_s
        for packet in self._stream.encode(frame):
            self._output.mux(packet)

    def _errors(self) -> Any:
        return _encoding_errors(self._path, self._size)


class _encoding_errors:  # noqa: N801  (used like a function)
    """Turn what FFmpeg raises into an OutputError that names the file."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self._path, self._size = path, size

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, av.error.FFmpegError):
            with output_errors(self._path):
                if isinstance(error, OSError) and not isinstance(error, av.error.ArgumentError):
                    raise OSError(error.errno, error.strerror) from error
            raise OutputError(
                f"{self._path}: a video of {self._size[0]}×{self._size[1]} pixels cannot be encoded there: "
                f"{error.strerror or error}; try another suffix (.mp4, .mkv) or place"
            ) from error


class VideoFolderSink:
    """Annotated copies of several videos in a folder, each under its own name.

    A container that cannot be written becomes an ``.mp4``, and two videos of one name get numbers. Existing
    copies are refused before any is touched.
    """

    def __init__(self, folder: Path, sources: Sequence[str], *, overwrite: bool = False) -> None:
        check_folder(folder)
        targets = assign_targets(folder, sources, _with_video_suffix, overwrite=overwrite)
        self._targets, self._overwrite = targets, overwrite
        self._sink: VideoSink | None = None
        self._stream: StreamInfo | None = None
        self._stop = Event()

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Finish the copy of the video before, and get ready for the next."""
        self.close()
        self._stream, self._stop = stream, stop

    def write(self, result: View | SkippedInput) -> None:
        """Append the frame to its video's copy."""
        if isinstance(result, SkippedInput) or self._stream is None:
            return
        if self._sink is None:
            target = self._targets[result.source]
            make_folder(target.parent)
            self._sink = VideoSink(target, overwrite=self._overwrite, sound=_sound_of(result.source))
            self._sink.open(self._stream, self._stop)
        self._sink.write(result)

    def close(self) -> None:
        """Finish the copy that is being written."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()


def create_sink(request: SinkRequest) -> Sink:
    """Make the sink of one video file, or of a folder for several; raises UsageError, OutputError."""
    output = Path(request.target)
    if len(request.inputs) <= 1 and not output.is_dir():
        return VideoSink(output, overwrite=request.overwrite, sound=_sound_of(*request.inputs))
    if output.suffix.lower() in _CONTAINERS and not output.is_dir():
        raise UsageError(
            f"expected a folder for {len(request.inputs)} annotated videos, got the file name {str(output)!r}"
        )
    return VideoFolderSink(output, request.inputs, overwrite=request.overwrite)


def _sound_of(*addresses: str) -> str | None:
    """The video whose sound can be read beside its frames: not what can be read but once."""
    return addresses[0] if len(addresses) == 1 and addresses[0] != "-" else None


def _with_video_suffix(path: Path) -> Path:
    return path if path.suffix.lower() in _CONTAINERS else path.with_suffix(".mp4")


def _fit(image: Image, size: tuple[int, int]) -> Image:
    """The image in that size: padded by a pixel at its right and lower edge, or letterboxed."""
    (width, height), (own_height, own_width) = size, image.shape[:2]
    if (own_width, own_height) == size:
        return np.ascontiguousarray(image)
    if 0 <= width - own_width <= 1 and 0 <= height - own_height <= 1:
        borders = (0, height - own_height, 0, width - own_width)
        return np.asarray(cv2.copyMakeBorder(image, *borders, cv2.BORDER_REPLICATE), np.uint8)
    scale = min(width / own_width, height / own_height)
    inner = (max(1, round(own_width * scale)), max(1, round(own_height * scale)))
    scaled = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    fitted = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    fitted[top : top + inner[1], left : left + inner[0]] = scaled
    return fitted
