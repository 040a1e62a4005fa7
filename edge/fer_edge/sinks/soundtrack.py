"""The sound of a source in its annotated copy."""

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
_ENCODED_RATE: Final = 48_000  # hertz: which every encoder takes
_TIMEOUTS_S: Final = (10.0, 10.0)  # opening and reading, from the network
_MOST_ERRORS: Final = 100  # of the demuxer in a row; then nothing more comes


class Soundtrack:
    """The first audio stream of a video, written beside its frames as they come.

    Times count from ``start_s`` of the source's clock, as the frames' do; what is before is left out. It is
    copied as it is where players take that in such a file, otherwise encoded in one or two channels. Sound that
    cannot be read or written is left out with a warning, never the video; only an OSError of the file that is
    written is raised.
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
        joins = bool(source.format.flags & av.format.Flags.ts_discont.value)
        self._clock = PresentationClock(self._start_s, 0.02, joins=True) if joins else None
        self._pieces = self._read()
        if start_s > 0 and self._clock is None:
            with suppress(av.error.FFmpegError):  # then it is read from its start
                source.seek(round((self._start_s + start_s) * av.time_base))
        self._waiting: Any = None
        self._next_pts = 0
        self._damaged = 0

    @classmethod
    def of(cls, address: str, output: Any, kind: VideoKind, start_s: float = 0.0) -> Self | None:
        """The sound of a video for an output container that has no header yet; None where there is none."""
        with ExitStack() as stack:
            try:
                source = _open(address, stack)
                track = _track_of(source)
                if track is None:
                    return None
                stream, encode = _add_stream(output, track, kind)
            except (av.error.FFmpegError, OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                _LOG.warning("%s: its sound is left out: %s", redact_credentials(address), reason)
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
        """Write the sound up to that time of the source, in seconds."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._pieces, None)
            if self._waiting is None or self._waiting.pts * self._waiting.time_base > time_s:
                return
            piece, self._waiting = self._waiting, None
            self._write(piece)

    def finish(self) -> None:
        """Write what the encoder still holds; sound after what was asked for is left out."""
        if self._encode:
            self._write(None)
        if self._damaged:
            _LOG.warning("%s: parts of its sound are damaged and left out", self._title)

    def close(self) -> None:
        """Close the source."""
        self._pieces = iter(())
        self._waiting = None
        with suppress(av.error.FFmpegError):
            self._opened.close()

    def _write(self, piece: Any) -> None:
        """Write a packet, or encode a frame; None is the end of those."""
        try:
            if not self._encode:
                piece.stream = self._stream
            for packet in self._stream.encode(piece) if self._encode else (piece,):
                # What codecs begin with, to be dropped by players: a file that cannot say so would shift everything.
                if not self._from_zero or packet.pts + (packet.duration or 0) / 2 > 0:
                    self._output.mux(packet)
        except (av.error.FFmpegError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        _LOG.warning("%s: its sound breaks off: %s", self._title, getattr(error, "strerror", None) or error)
        self._pieces = iter(())
        self._encode = False

    def _read(self) -> Iterator[Any]:
        """Packets or, to be encoded, frames, whose times count from where the copy begins."""
        timed: Iterator[tuple[float, Any]]
        stamped = ((float(piece.pts * piece.time_base), piece) for piece in self._read_unmoved())
        if self._clock is None:
            timed = ((stamp_s - self._start_s, piece) for stamp_s, piece in stamped)
        else:
            timed = self._clock.times(stamped)
        for time_s, piece in timed:
            self._next_pts = round(time_s / piece.time_base) + (piece.duration or 0)
            if self._cut_s <= 0 or time_s + float((piece.duration or 0) * piece.time_base) / 2 > self._cut_s:
                self._move(piece, time_s - self._cut_s)
                yield piece

    def _read_unmoved(self) -> Iterator[Any]:
        """Packets or frames with the times of the source's clock, each of which has one."""
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
        track = _track_of(self._source)
        packets = self._source.demux(track)
        failed = 0
        while failed < _MOST_ERRORS:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError as error:
                if isinstance(error, OSError) and not isinstance(error, av.error.InvalidDataError):
                    self._give_up(error)
                    return
                failed += 1
                self._damaged += 1
                packets = self._source.demux(track)
                continue
            failed = 0
            yield packet

    def _move(self, piece: Any, time_s: float) -> None:
        """Move a piece to a time that counts from where the copy begins."""
        # By how much, in whole ticks: moved by the same time, pieces stay as far apart as they were.
        moved = round((time_s - float(piece.pts * piece.time_base)) / piece.time_base)
        if not self._encode:
            piece.dts += moved
        piece.pts += moved


def _open(address: str, stack: ExitStack) -> Any:
    file: Any
    if is_url(address):
        file, timeout = address, _TIMEOUTS_S
    else:
        file, timeout = f"file:{Path(address)}", None
        try:
            os.fspath(address).encode()
        except UnicodeEncodeError:
            # FFmpeg takes names in UTF-8 alone; it can read an open file.
            file = stack.enter_context(Path(address).open("rb"))  # noqa: SIM115  (closed with the stack)
    return stack.enter_context(av.open(file, "r", metadata_errors="replace", timeout=timeout))


def _track_of(source: Any) -> Any:
    return next((track for track in source.streams.audio if track.codec_context is not None), None)


def _add_stream(output: Any, track: Any, kind: VideoKind) -> tuple[Any, bool]:
    """A stream of the output for that of a source, and whether it has to be encoded; raises ValueError."""
    context = track.codec_context
    name = context.codec.canonical_name
    # Broadcasts' has its parameters in every packet, an .mp4 wants them in its head.
    if name in kind.sounds and not (name == "aac" and kind.edit_list and not context.extradata):
        return output.add_stream_from_template(track), False
    rates = Codec(kind.sound_encoder, "w").audio_rates or ()
    rate = context.sample_rate if context.sample_rate in rates else _ENCODED_RATE
    stream = output.add_stream(kind.sound_encoder, rate=rate)
    stream.codec_context.layout = "mono" if context.channels == 1 else "stereo"
    return stream, True
