"""Sinks for annotated videos, by default H.264 with the source's timing and sound."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Final

from fer_edge.errors import UsageError
from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import check_file, check_folder, make_folder, staged_file
from fer_edge.sinks.base import Sink, SinkRequest
from fer_edge.sinks.rotation.timed_name import TimedName, refuse_fields
from fer_edge.sinks.targets import assign_targets
from fer_edge.sinks.video_encoder import VideoEncoder, is_playable
from fer_edge.sinks.video_kinds import VIDEO_SUFFIXES, choose_encoder, find_video_kind
from fer_edge.sinks.video_segments import SegmentedVideoSink
from fer_edge.sources.urls import is_url
from fer_edge.types import SkippedInput, StreamInfo

__all__ = ["VideoFolderSink", "VideoSink", "create_sink"]

_FALLBACK_RATE: Final = 25.0
_LIVE_RATE: Final = 15.0


class VideoSink:
    """Writes an annotated video, each frame at its own time.

    The video has the size of the first frame; frames of other sizes are letterboxed. If the source is not
    read from its start, the copy begins where reading begins.

    ``sound`` is the path or URL of the video whose sound is copied, or re-encoded if players do not support
    its codec in the output format. ``encoder`` and ``preset`` select another FFmpeg encoder and its trade-off
    between speed and size.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        sound: str | None = None,
        encoder: str | None = None,
        preset: str | None = None,
    ) -> None:
        self._kind = find_video_kind(path)
        self._settings = choose_encoder(self._kind, encoder, preset)
        check_file(path, overwrite=overwrite)
        self._path, self._sound_from = path, sound
        self._rate, self._start_s = _FALLBACK_RATE, 0.0
        self._stack = ExitStack()
        self._part: Path | None = None
        self._encoder: VideoEncoder | None = None

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Set the nominal frame rate and start time; the first frame opens the file."""
        self._start_s = stream.start_s
        self._rate = stream.frame_rate or (_LIVE_RATE if stream.live else _FALLBACK_RATE)

    def write(self, result: View | SkippedInput) -> None:
        """Append the frame and the sound up to its time; raises OutputError."""
        if isinstance(result, SkippedInput):
            return
        image = result.image()
        if self._encoder is None:
            height, width = image.shape[:2]
            self._encoder = self._start((width, height))
        self._encoder.write(image, None if result.time_s is None else result.time_s - self._start_s)

    def close(self) -> None:
        """Finish the file; raises OutputError on failure, but keeps what can be played."""
        encoder, self._encoder = self._encoder, None
        if encoder is None or self._part is None:
            return
        failure: BaseException | None = None
        with suppress(_NothingToKeepError), self._stack:
            try:
                encoder.close()
            except BaseException as error:  # noqa: BLE001  (raised below)
                failure = error
            complete = failure is None and not encoder.failed
            if not complete and self._part.is_file() and not is_playable(self._part):
                raise _NothingToKeepError
        if failure is not None:
            raise failure

    def _start(self, size: tuple[int, int]) -> VideoEncoder:
        with ExitStack() as stack:
            self._part = stack.enter_context(staged_file(self._path))
            encoder = VideoEncoder(
                self._part,
                self._kind,
                self._settings,
                size=size,
                rate=self._rate,
                sound=self._sound_from,
                sound_start_s=self._start_s,
                name=self._path,
            )
            self._stack = stack.pop_all()
        return encoder


class _NothingToKeepError(Exception):
    """Raised if the part written before an error cannot be played."""


class VideoFolderSink:
    """Writes annotated copies of several videos to a folder.

    Each copy has the name of its source. Containers that cannot be written become ``.mp4``, and videos with
    the same name get numbers. The constructor refuses existing copies before anything is written.
    """

    def __init__(
        self,
        folder: Path,
        sources: Sequence[str],
        *,
        overwrite: bool = False,
        encoder: str | None = None,
        preset: str | None = None,
    ) -> None:
        check_folder(folder)
        targets = assign_targets(folder, sources, _with_video_suffix, overwrite=overwrite)
        for kind in {target.suffix.lower(): find_video_kind(target) for target in targets.values()}.values():
            choose_encoder(kind, encoder, preset)
        self._targets, self._overwrite = targets, overwrite
        self._encoder, self._preset = encoder, preset
        self._sink: VideoSink | None = None
        self._stream: StreamInfo | None = None
        self._stop = Event()

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Finish the copy of the previous video and prepare for the next one."""
        self.close()
        self._stream, self._stop = stream, stop

    def write(self, result: View | SkippedInput) -> None:
        """Append the frame to the copy of its video."""
        if isinstance(result, SkippedInput) or self._stream is None:
            return
        if self._sink is None:
            target = self._targets[result.source]
            make_folder(target.parent)
            self._sink = VideoSink(
                target,
                overwrite=self._overwrite,
                sound=_sound_of(result.source),
                encoder=self._encoder,
                preset=self._preset,
            )
            self._sink.open(self._stream, self._stop)
        self._sink.write(result)

    def close(self) -> None:
        """Finish the current copy."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()


def create_sink(request: SinkRequest) -> Sink:
    """Create the sink for one video file, or for a folder of videos.

    For a single video, a target without a suffix is a folder. Raises UsageError or OutputError.
    """
    if request.stream.live:
        return _create_camera_sink(request)
    refuse_fields(request.target)
    output, inputs = Path(request.target), request.inputs
    if len(inputs) <= 1 and output.suffix and not output.is_dir():
        return VideoSink(
            output,
            overwrite=request.overwrite,
            sound=_sound_of(*inputs),
            encoder=request.encoder,
            preset=request.preset,
        )
    if output.suffix.lower() in VIDEO_SUFFIXES and not output.is_dir():
        raise UsageError(
            f"{output}: cannot write {len(inputs)} annotated videos to one file; specify a folder"
        )
    return VideoFolderSink(
        output, inputs, overwrite=request.overwrite, encoder=request.encoder, preset=request.preset
    )


def _create_camera_sink(request: SinkRequest) -> Sink:
    """Create the sink for a camera: one video, or many if the name has time fields."""
    name = TimedName(request.target)
    first = name.expand(datetime.now().astimezone())
    if name.rotates:
        return SegmentedVideoSink(
            name,
            request.retention.register(name),
            first=first,
            overwrite=request.overwrite,
            append=request.append,
            encoder=request.encoder,
            preset=request.preset,
        )
    if first.is_dir():
        raise UsageError(
            f"{first}: is a folder; specify a file for the camera's video, such as {first / 'camera.mp4'}"
        )
    return VideoSink(first, overwrite=request.overwrite, encoder=request.encoder, preset=request.preset)


def _sound_of(*addresses: str) -> str | None:
    """Return the video to read sound from, or None.

    A pipe, for example, can be read only once, so its sound cannot be read separately.
    """
    if len(addresses) != 1:
        return None
    address = addresses[0]
    return address if is_url(address) or Path(address).is_file() else None


def _with_video_suffix(path: Path) -> Path:
    return path if path.suffix.lower() in VIDEO_SUFFIXES else path.with_suffix(".mp4")
