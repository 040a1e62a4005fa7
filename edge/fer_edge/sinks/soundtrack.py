"""The sound of a source in its annotated copy."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import av

from fer_edge.sources.urls import is_url

__all__ = ["Soundtrack"]

_LOG: Final = logging.getLogger(__name__)
_ENCODED_RATE: Final = 48_000  # hertz: which every encoder takes


class Soundtrack:
    """The first audio stream of a video, written beside its frames as they come.

    Times count from the source's start, as the frames' do. It is copied as it is where the container can hold
    it, otherwise encoded. Sound that cannot be read ends with a warning, never the video.
    """

    def __init__(self, source: Any, output: Any, stream: Any, *, encode: bool) -> None:
        self._source, self._output, self._stream = source, output, stream
        self._encode = encode
        self._start_s = (source.start_time or 0) / av.time_base
        self._packets = self._read()
        self._waiting: Any = None

    @classmethod
    def of(cls, address: str, output: Any, encoder: str, copyable: frozenset[str]) -> Self | None:
        """The sound of a video for an output container that has no header yet; None where there is none.

        Of the codecs in ``copyable`` it is copied, otherwise encoded.
        """
        try:
            source = av.open(
                address if is_url(address) else f"file:{Path(address)}", metadata_errors="replace"
            )
        except (av.error.FFmpegError, UnicodeEncodeError) as error:
            _LOG.warning("%s: its sound cannot be read: %s", address, error)
            return None
        tracks = source.streams.audio
        if not tracks or tracks[0].codec_context is None:
            source.close()
            return None
        track = tracks[0]
        copied = track.codec_context.codec.canonical_name in copyable
        try:
            if copied:
                stream = output.add_stream_from_template(track)
            else:
                stream = output.add_stream(encoder, rate=_ENCODED_RATE)
                stream.codec_context.layout = "mono" if track.codec_context.channels == 1 else "stereo"
        except (av.error.FFmpegError, ValueError) as error:
            _LOG.warning("%s: its sound cannot be written there: %s", address, error)
            source.close()
            return None
        return cls(source, output, stream, encode=not copied)

    def write_until(self, time_s: float) -> None:
        """Write the sound up to that time of the source."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None or _time_of(self._waiting) - self._start_s > time_s:
                return
            self._write(self._waiting)
            self._waiting = None

    def close(self) -> None:
        """Finish the sound with the last frame; what comes after it is left out."""
        if self._encode:
            for packet in self._stream.encode(None):
                self._output.mux(packet)
        self._source.close()

    def _read(self) -> Iterator[Any]:
        track = self._source.streams.audio[0]
        try:
            for packet in self._source.demux(track):
                if packet.dts is None:
                    continue
                if self._encode:
                    yield from packet.decode()
                else:
                    yield packet
        except av.error.FFmpegError as error:
            _LOG.warning("%s: its sound breaks off: %s", self._source.name, error)

    def _write(self, piece: Any) -> None:
        start = round(self._start_s / piece.time_base)
        piece.pts -= start
        if self._encode:
            for packet in self._stream.encode(piece):
                self._output.mux(packet)
            return
        piece.dts -= start
        piece.stream = self._stream
        self._output.mux(piece)


def _time_of(piece: Any) -> float:
    return float(piece.pts * piece.time_base)
