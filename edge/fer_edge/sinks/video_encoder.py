"""An encoder that writes images and sound to a video file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import convert_errors_to_output_error
from fer_edge.runtime.scheduling import keep_scheduling
from fer_edge.sinks.soundtrack import Soundtrack
from fer_edge.sinks.video_file import VideoFile
from fer_edge.sinks.video_kinds import EncoderSettings, VideoKind
from fer_edge.types import Image

__all__ = ["VideoEncoder", "is_playable"]

_TIME_BASE: Final = Fraction(1, 60_000)  # the finest that MPEG-4 supports
_KEY_FRAME_S: Final = 1.0
_HD_HEIGHT: Final = 720  # players expect BT.709 from this height on
_BT709, _BT601 = 1, 6  # FFmpeg's matrix numbers; both use the primaries and transfer function of screens
_LIMITED, _FULL = 1, 2


class VideoEncoder:
    """Encodes images and the sound of a source into a video file.

    Each image has its own time, and there is a key frame every second. ``path`` is the file and ``name`` its
    name in messages. ``size`` is the (width, height) of the video in pixels, rounded up to even numbers;
    images of other sizes are letterboxed. ``rate`` is the approximate frame rate in frames per second.
    ``sound`` is the path or URL of a video whose sound is written from ``sound_start_s`` on. All methods
    raise OutputError; after an error only :meth:`close` has an effect, and the part written so far is kept.

    Images are encoded in a separate thread, one image behind the caller. No signals are handled in that
    thread, so an interruption can neither get lost in FFmpeg's callbacks nor drop an image from the video.
    """

    def __init__(
        self,
        path: Path,
        kind: VideoKind,
        settings: EncoderSettings,
        *,
        size: tuple[int, int],
        rate: float,
        sound: str | None = None,
        sound_start_s: float = 0.0,
        name: Path | None = None,
    ) -> None:
        self._name, self._kind, self._settings = name or path, kind, settings
        self._size = (size[0] + size[0] % 2, size[1] + size[1] % 2)  # H.264 needs even sides
        self._rate = Fraction(rate).limit_denominator(1001)
        self._time_base = 1 / self._rate if kind.fixed_rate else _TIME_BASE
        self._last_pts, self._last_s, self._key_s = -1, 0.0, -_KEY_FRAME_S
        self._output: Any = None
        self._stream: Any = None
        self._sound: Soundtrack | None = None
        self._worker = ThreadPoolExecutor(1, "video encoder")
        self._pending: Future[None] | None = None
        self.failed = False
        with convert_errors_to_output_error(self._name):
            self._file = VideoFile(path)
        try:
            with self._errors():
                self._open(sound, sound_start_s)
        except BaseException:
            self._file.close()
            if self._sound is not None:
                self._sound.close()
            raise

    def write(self, image: Image, time_s: float | None = None) -> None:
        """Append an image that is shown from ``time_s`` on, and the sound up to then.

        The image is uint8 (height, width, 3) BGR. A time that does not come after the previous one becomes
        the next possible time. Without a time, the image follows the previous one at the nominal rate.
        """
        if time_s is None:
            time_s = 0.0 if self._last_pts < 0 else self._last_s + float(1 / self._rate)
        with self._errors():
            frame = self._to_frame(image)
            frame.pts = max(self._last_pts + 1, round(time_s / self._time_base))
            frame.time_base = self._time_base
            frame.duration = max(1, round(1 / self._rate / self._time_base))
            self._last_pts, self._last_s = frame.pts, time_s
            self._wait()
            if time_s >= self._key_s + _KEY_FRAME_S:
                frame.pict_type = av.video.frame.PictureType.I
                self._key_s = time_s
                self._file.check()
            self._pending = self._worker.submit(self._mux, frame, time_s)

    def close(self) -> None:
        """Finish the file; after a failure only close it. Closing twice does nothing."""
        if self._output is None:
            return
        try:
            if not self.failed:
                with self._errors():
                    self._wait()
                    self._pending = self._worker.submit(self._finish, self._last_s + float(1 / self._rate))
                    self._wait()
        finally:
            self._worker.shutdown()
            self._file.close()  # before the container, which would otherwise try to write its trailer
            if self._sound is not None:
                self._sound.close()
            self._output = self._stream = self._sound = self._pending = None

    def _wait(self) -> None:
        """Wait until the previous image is encoded, and flush it to the file."""
        if self._pending is not None:
            self._pending.result()
            self._pending = None
            self._file.flush()

    def _open(self, sound: str | None, sound_start_s: float) -> None:
        options = self._kind.options if self._file.is_seekable else self._kind.pipe_options
        self._output = av.open(
            self._file.target, "w", format=self._kind.name, container_options=dict(options)
        )
        self._stream = self._add_stream()
        if sound is not None:
            self._sound = Soundtrack.open_for(sound, self._output, self._kind, sound_start_s)
        with keep_scheduling():
            # Start now: an interruption during a start with the first image would lose that image.
            self._output.start_encoding()

    def _add_stream(self) -> Any:
        settings = self._settings
        stream = self._output.add_stream(settings.name, rate=self._rate, options=dict(settings.options))
        context = stream.codec_context
        context.width, context.height = self._size
        context.pix_fmt = settings.pixels
        stream.time_base = context.time_base = self._time_base
        # For encoders that ignore requests for key frames.
        context.gop_size = max(2, round(2 * self._rate * Fraction(_KEY_FRAME_S)))
        context.colorspace = _BT709 if self._is_bt709 else _BT601
        context.color_primaries = context.color_trc = _BT709
        context.color_range = _FULL if self._is_full_range else _LIMITED
        if settings.name == "libx265" and self._kind.name in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # Apple's players show nothing without it
        return stream

    @property
    def _is_full_range(self) -> bool:
        return self._settings.pixels.startswith("yuvj")

    @property
    def _is_bt709(self) -> bool:
        return self._size[1] >= _HD_HEIGHT and not self._is_full_range  # JPEG supports only BT.601

    def _to_frame(self, image: Image) -> Any:
        """Return the image in the encoder's size, pixel format and color space."""
        fitted = _fit(image, self._size)
        if self._settings.pixels == "yuv420p" and not self._is_bt709:
            # Three times as fast as FFmpeg's conversion, which also rounds down.
            planes = np.asarray(cv2.cvtColor(fitted, cv2.COLOR_BGR2YUV_I420), np.uint8)
            return av.VideoFrame.from_ndarray(planes, format="yuv420p")
        return av.VideoFrame.from_ndarray(fitted, format="bgr24").reformat(
            format=self._settings.pixels,
            dst_colorspace="ITU709" if self._is_bt709 else "ITU601",
            dst_color_range="JPEG" if self._is_full_range else "MPEG",
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
            threads=1,
        )

    def _mux(self, frame: Any, time_s: float) -> None:
        """Encode and write a frame (None to flush) and the sound up to its time.

        This runs in the worker thread.
        """
        for packet in self._stream.encode(frame):
            self._output.mux(packet)
        if self._sound is not None:
            self._sound.write_until(time_s)

    def _finish(self, end_s: float) -> None:
        """Write the rest of the file; runs in the worker thread."""
        self._mux(None, end_s)
        if self._sound is not None:
            self._sound.finish()
        self._file.remember()
        try:
            # PyAV would print a second muxer error to stderr.
            with redirect_stderr(io.StringIO()):
                self._output.close()
            if self._file.is_seekable:
                self._file.flush()
        except BaseException:
            self._file.restore()
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn errors of FFmpeg and the system into an OutputError that names the file."""
        try:
            with convert_errors_to_output_error(self._name):
                yield
        except av.error.FFmpegError as error:
            self.failed = True
            width, height = self._size
            raise OutputError(
                f"{self._name}: cannot encode a video of {width}×{height} pixels: "
                f"{error.strerror or error}; try another file format or size"
            ) from error
        except BaseException as error:
            # An interruption ends the run but not the video, unless it is written to a pipe or device.
            self.failed = self.failed or isinstance(error, Exception) or not self._file.is_seekable
            raise


def is_playable(path: Path) -> bool:
    """Return whether at least one image of a video file can be decoded."""
    with suppress(av.error.FFmpegError, OSError), path.open("rb") as file, av.open(file, "r") as container:
        return bool(container.streams.video) and next(container.decode(video=0), None) is not None
    return False


def _fit(image: Image, size: tuple[int, int]) -> Image:
    """Return the image in the given size (width, height).

    It is padded by one pixel at the right and bottom if that is enough, and otherwise letterboxed.
    """
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
