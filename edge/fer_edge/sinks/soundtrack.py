"""The sound of the source in an annotated video."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, Self

import av
from av.codec import Codec

from fer_edge.sinks.video_kinds import VideoKind
from fer_edge.sources.presentation_clock import PresentationClock
from fer_edge.sources.urls import is_url, redact_credentials

__all__ = ["Soundtrack"]

_LOG: Final = logging.getLogger(__name__)
_ENCODED_RATE: Final = 48_000  # hertz; every encoder accepts it
_TIMEOUTS_S: Final = (10.0, 10.0)  # for opening and reading network sources
_MAX_ERRORS: Final = 100  # consecutive demuxer errors before reading stops


class Soundtrack:
    """Writes the first audio stream of a video alongside its frames.

    Like those of the frames, times count from ``start_s`` on the source's clock; earlier sound is left out.
    The stream is copied unchanged if players support its codec in the output format, and otherwise re-encoded
    in mono or stereo. If sound cannot be read or written, the video continues without it, with a warning;
    only an OSError of the output file is raised.
    """

    def __init__(
        self,
        address: str,
        source: Any,
        output: Any,
        stream: Any,
        *,
        start_s: float,
        encode: bool,
        from_zero: bool,
    ) -> None:
        self._title = redact_credentials(address)
        self._opened = ExitStack()
        self._from_zero = from_zero
        self._source, self._output, self._stream = source, output, stream
        self._encode = encode
        self._cut_s = start_s
        self._start_s = (source.start_time or 0) / av.time_base
        clock_may_restart = bool(source.format.flags & av.format.Flags.ts_discont.value)
        self._clock = (
            PresentationClock(self._start_s, 0.02, clock_may_restart=True) if clock_may_restart else None
        )
        self._pieces = self._read()
        if start_s > 0 and self._clock is None:
            with suppress(av.error.FFmpegError):  # if seeking fails, read from the start
                source.seek(round((self._start_s + start_s) * av.time_base))
        self._waiting: Any = None
        self._next_pts = 0
        self._damaged = 0

    @classmethod
    def open_for(cls, address: str, output: Any, kind: VideoKind, start_s: float = 0.0) -> Self | None:
        """Return the sound of a video for an output container, or None if it has no sound.

        The container must not have a header yet.
        """
        with ExitStack() as stack:
            try:
                source = _open(address, stack)
                track = _find_track(source)
                if track is None:
                    return None
                stream, encode = _add_stream(output, track, kind)
            except (av.error.FFmpegError, OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                _LOG.warning("%s: cannot copy the sound: %s", redact_credentials(address), reason)
                return None
            sound = cls(
                address,
                source,
                output,
                stream,
                start_s=start_s,
                encode=encode,
                from_zero=not kind.edit_list,
            )
            sound._opened = stack.pop_all()
            return sound

    def write_until(self, time_s: float) -> None:
        """Write the sound up to ``time_s`` of the source, in seconds."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._pieces, None)
            if self._waiting is None or self._waiting.pts * self._waiting.time_base > time_s:
                return
            piece, self._waiting = self._waiting, None
            self._write(piece)

    def finish(self) -> None:
        """Flush the encoder; sound after the last requested time is left out."""
        if self._encode:
            self._write(None)
        if self._damaged:
            _LOG.warning("%s: skipped damaged parts of the sound", self._title)

    def close(self) -> None:
        """Close the source."""
        self._pieces = iter(())
        self._waiting = None
        with suppress(av.error.FFmpegError):
            self._opened.close()

    def _write(self, piece: Any) -> None:
        """Write a packet, or encode a frame; None flushes the encoder."""
        try:
            if not self._encode:
                piece.stream = self._stream
            for packet in self._stream.encode(piece) if self._encode else (piece,):
                # Leave out encoder delay (priming samples): a format without an edit list cannot tell players
                # to skip it, and all sound would be late.
                if not self._from_zero or packet.pts + (packet.duration or 0) / 2 > 0:
                    self._output.mux(packet)
        except (av.error.FFmpegError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        _LOG.warning("%s: the sound ends early: %s", self._title, getattr(error, "strerror", None) or error)
        self._pieces = iter(())
        self._encode = False

    def _read(self) -> Iterator[Any]:
        """Yield packets, or frames to encode, with times relative to the copy's start."""
        timed: Iterator[tuple[float, Any]]
        stamped = ((float(piece.pts * piece.time_base), piece) for piece in self._read_source())
        if self._clock is None:
            timed = ((stamp_s - self._start_s, piece) for stamp_s, piece in stamped)
        else:
            timed = self._clock.times(stamped)
        for time_s, piece in timed:
            self._next_pts = round(time_s / piece.time_base) + (piece.duration or 0)
            if self._cut_s <= 0 or time_s + float((piece.duration or 0) * piece.time_base) / 2 > self._cut_s:
                self._move(piece, time_s - self._cut_s)
                yield piece

    def _read_source(self) -> Iterator[Any]:
        """Yield packets or frames with times on the source's clock; each has a time."""
        for packet in self._demux():
            if packet.dts is None:
                continue
            try:
                pieces = packet.decode() if self._encode else [packet]
            except av.error.FFmpegError:
                self._damaged += 1
                continue
            for piece in pieces:
                if piece.pts is None:
                    piece.pts = self._next_pts + round(self._start_s / piece.time_base)
                yield piece

    def _demux(self) -> Iterator[Any]:
        track = _find_track(self._source)
        packets = self._source.demux(track)
        error_count = 0
        while error_count < _MAX_ERRORS:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError as error:
                if isinstance(error, OSError) and not isinstance(error, av.error.InvalidDataError):
                    self._give_up(error)
                    return
                error_count += 1
                self._damaged += 1
                packets = self._source.demux(track)
                continue
            error_count = 0
            yield packet

    def _move(self, piece: Any, time_s: float) -> None:
        """Move a packet or frame to a time relative to the start of the copy."""
        # The offset in whole ticks, so that the distance between pieces does not change.
        offset = round((time_s - float(piece.pts * piece.time_base)) / piece.time_base)
        if not self._encode:
            piece.dts += offset
        piece.pts += offset


def _open(address: str, stack: ExitStack) -> Any:
    file: Any
    if is_url(address):
        file, timeout = address, _TIMEOUTS_S
    else:
        file, timeout = f"file:{Path(address)}", None
        try:
            os.fspath(address).encode()
        except UnicodeEncodeError:
            # FFmpeg accepts only UTF-8 names, but it can read an open file.
            file = stack.enter_context(Path(address).open("rb"))  # noqa: SIM115  (closed with the stack)
    return stack.enter_context(av.open(file, "r", metadata_errors="replace", timeout=timeout))


def _find_track(source: Any) -> Any:
    return next((track for track in source.streams.audio if track.codec_context is not None), None)


def _add_stream(output: Any, track: Any, kind: VideoKind) -> tuple[Any, bool]:
    """Add a stream to the output; return it and whether the sound has to be encoded.

    Raises ValueError.
    """
    context = track.codec_context
    name = context.codec.canonical_name
    # AAC from broadcasts carries its parameters in every packet, but .mp4 needs them in the header.
    if name in kind.sounds and not (name == "aac" and kind.edit_list and not context.extradata):
        return output.add_stream_from_template(track), False
    rates = Codec(kind.sound_encoder, "w").audio_rates or ()
    rate = context.sample_rate if context.sample_rate in rates else _ENCODED_RATE
    stream = output.add_stream(kind.sound_encoder, rate=rate)
    stream.codec_context.layout = "mono" if context.channels == 1 else "stereo"
    return stream, True
