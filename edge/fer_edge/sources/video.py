"""Videos through FFmpeg (PyAV): files, pipes, and streams read like files.

Every frame becomes one row. Interlaced frames are not deinterlaced.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from fer_edge.errors import SourceError, SourceLostError
from fer_edge.runtime.tables import format_count
from fer_edge.sources.base import WHOLE, SourceItem, SourceRequest, Span
from fer_edge.sources.presentation_clock import PresentationClock
from fer_edge.sources.urls import redact_credentials
from fer_edge.sources.video_container import open_video, title_of
from fer_edge.sources.video_decoder import Decoder
from fer_edge.sources.video_facts import ASSUMED_RATE, VideoFacts, sanitize_frame_rate
from fer_edge.sources.video_pixels import Geometry, GeometryReader, to_frame
from fer_edge.sources.video_seek import PacketClock
from fer_edge.types import StreamInfo

__all__ = ["VideoSource", "create_source", "sanitize_frame_rate"]

_LOG: Final = logging.getLogger(__name__)
_EARLY_S: Final = 1.0  # seconds that may be missing at the end of a complete video
_DECIMALS: Final = 6  # of the times in rows
_REPORT_EVERY: Final = 64  # frames between two calls of on_skipped
_DELAY: Final = 64  # after a decoding error, a gap within this many frames counts as damage


class VideoSource:
    """A video file, a URL that FFmpeg can read, or ``-`` for standard input.

    The name is the path or URL as given, without the URL's password. Times are presentation times, as players show
    them. Damaged sections are skipped; the frames after them keep their times. ``threads`` limits the decoder's
    threads. Raises SourceError if the video cannot be opened or has no frames. Raises SourceLostError at the end if the
    demuxer or decoder reported damage, or if the video ended more than a second before the end that it states. Another
    thread may close the source during iteration, which then ends.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        threads: int | None = None,
        span: Span = WHOLE,
        on_skipped: Callable[[float], None] | None = None,
    ) -> None:
        self._address = os.fspath(path)
        self._threads, self._span, self._on_skipped = threads, span, on_skipped or (lambda _: None)
        self.info = StreamInfo(name=redact_credentials(self._address), start_s=span.start_s)
        self._decoder: Decoder | None = None
        self._facts: VideoFacts | None = None
        self._stretched: set[tuple[tuple[int, int], tuple[int, int]]] = set()

    def __enter__(self) -> Self:
        video = open_video(self._address)
        facts = self._facts = VideoFacts.from_container(video.container, video.stream)
        self._decoder = Decoder(video, self._threads)
        self.info = replace(
            self.info,
            frame_rate=facts.rate,
            frame_count=facts.count_frames(self._span.start_s, self._span.end_s),
        )
        _LOG.info(
            "%s: %s, %d×%d pixels, %s frames a second",
            title_of(self._address),
            video.stream.codec_context.name,
            *facts.size,
            "an unknown number of" if facts.rate is None else f"{facts.rate:g}",
        )
        if not facts.has_timestamps and facts.rate is None:
            _LOG.warning(
                "%s: the video has neither timestamps nor a frame rate; assuming %g frames a second",
                title_of(self._address),
                ASSUMED_RATE,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            decoder.close()

    def __iter__(self) -> Iterator[SourceItem]:
        decoder, facts = self._decoder, self._facts
        if decoder is None or facts is None:
            raise ValueError(f"{self.info.name}: the video is not open; iterate over it in a with statement")
        progress, geometries = _Progress(decoder, facts, self._span), GeometryReader()
        codec_shape = decoder.pixel_shape
        for index, time_s, decoded in self._read(decoder, facts, progress):
            progress.show(time_s)
            # The container's pixel shape applies until the codec states a new size or pixel shape.
            unchanged = (decoded.width, decoded.height) == facts.size and decoder.pixel_shape == codec_shape
            geometry = geometries.read(decoded, facts.pixel_shape if unchanged else decoder.pixel_shape)
            if geometry.stretched != geometry.decoded:
                self._warn_stretched(geometry)
            yield to_frame(decoded, geometry, self.info.name, index, time_s)
            del decoded  # lets the decoder reuse its memory
        if not decoder.is_closed:
            progress.check_end(title_of(self._address))

    def _read(
        self, decoder: Decoder, facts: VideoFacts, progress: _Progress
    ) -> Iterator[tuple[int, float, Any]]:
        """Yield the number, time and decoded image of each frame in the span."""
        start_s, end_s = self._span.start_s, self._span.end_s
        offset_s = None if facts.has_only_packet_timestamps else facts.start_s
        numbers = None
        if start_s > 0 and facts.has_timestamps and offset_s is not None:
            packet_clock = PacketClock(
                offset_s, progress.interval_s, clock_may_restart=facts.clock_may_restart
            )
            numbers = decoder.skip_to(start_s, packet_clock, self._on_skipped)
            offset_s = packet_clock.offset_s
        clock = PresentationClock(
            offset_s, progress.interval_s, clock_may_restart=facts.clock_may_restart, end_s=facts.end_s
        )
        index = 0
        for time_s, decoded in clock.times(progress.stamp(decoder)):
            if numbers is not None and decoded.pts is not None:
                if numbers.is_broken(decoded.pts):
                    continue
                index, numbers = numbers.number_at(decoded.pts), None
            if end_s is not None and round(time_s, _DECIMALS) >= end_s:
                break
            if round(time_s, _DECIMALS) >= start_s:
                yield index, time_s, decoded
            elif index % _REPORT_EVERY == 0:
                self._on_skipped(time_s)
            index += 1
            del decoded
        self._on_skipped(start_s)

    def _warn_stretched(self, geometry: Geometry) -> None:
        """Warn, once per size and pixel shape, that images are stretched."""
        kind = geometry.decoded, geometry.stretched
        if kind not in self._stretched:
            self._stretched.add(kind)
            _LOG.warning(
                "%s: the pixels are not square; %d×%d is stretched to %d×%d",
                title_of(self._address),
                *geometry.decoded,
                *geometry.stretched,
            )


class _Progress:
    """Tracks how far a video was read and which parts were lost."""

    def __init__(self, decoder: Decoder, facts: VideoFacts, span: Span) -> None:
        self.interval_s = 1 / (facts.rate or ASSUMED_RATE)
        self._decoder, self._facts, self._span = decoder, facts, span
        self._reached_s = 0.0  # seconds after the start of the container's clock
        self._frames = 0
        self._last_s = 0.0
        self._errors = 0  # decoder errors up to the last frame
        self._near = 0  # for this many more frames, a gap counts as damage
        self._gaps_s = 0.0

    def stamp(self, frames: Decoder) -> Iterator[tuple[float | None, Any]]:
        """Yield each decoded frame with its timestamp in seconds on the container's clock."""
        start_s = self._facts.start_s or 0.0
        for decoded in frames:
            stamp_s = None
            if self._facts.has_timestamps:
                ticks = decoded.dts if self._facts.has_only_packet_timestamps else decoded.pts
                stamp_s = None if ticks is None else float(ticks * decoded.time_base)
            if stamp_s is not None:
                self._reached_s = max(self._reached_s, stamp_s - start_s + self.interval_s)
            yield stamp_s, decoded
            del decoded

    def show(self, time_s: float) -> None:
        """Record the next frame."""
        decoder = self._decoder
        if not self._frames and (self._span.start_s or self._facts.clock_may_restart or time_s <= _EARLY_S):
            decoder.errors = decoder.suspects = 0  # the video was cut out of a longer one
        errors = decoder.errors + decoder.suspects
        self._near = _DELAY if errors > self._errors else self._near - 1
        gap_s = time_s - (self._last_s + self.interval_s if self._frames else 0.0)
        if self._near > 0 and gap_s > self.interval_s / 2:
            self._gaps_s += gap_s
        self._errors, self._last_s = errors, time_s
        self._frames += 1

    def check_end(self, title: str) -> None:
        """Raise SourceError if there was no frame, SourceLostError if part is missing."""
        frames, decoder = self._frames, self._decoder
        if decoder.encrypted:
            error = SourceLostError if frames else SourceError
            raise error(f"{title}: the video is encrypted; use one without copy protection")
        if not frames:
            why = f": {decoder.lost}" if decoder.lost is not None else ""
            if self._span:
                raise SourceError(f"{title}: {self._describe_empty_span()}{why}")
            hint = (
                ""
                if decoder.is_seekable
                else "; an .mp4 can be read from a pipe only if it was written for streaming: "
                "pass the file's path instead"
            )
            raise SourceError(f"{title}: cannot decode any frame of the video{why}{hint}")
        end_s = self._end_s()
        reached_s = max(self._reached_s, self._last_s + self.interval_s)
        missing_s = 0.0 if end_s is None else end_s - reached_s
        if decoder.lost is not None or missing_s > _EARLY_S:
            why = f": {decoder.lost}" if decoder.lost is not None else ""
            until = f", {missing_s:.1f} s before its end" if missing_s > _EARLY_S else ""
            raise SourceLostError(
                f"{title}: the video ended early, after {format_count(frames, 'frame')}{until}{why}; "
                "the results so far are kept"
            )
        if decoder.errors or self._gaps_s:
            lost_s = self._gaps_s + max(0.0, missing_s)
            places = "one place" if decoder.errors == 1 else f"{decoder.errors} places"
            what = (
                f"about {lost_s:.1f} s cannot be decoded" if lost_s >= 0.05 else f"{places} cannot be decoded"
            )
            raise SourceLostError(
                f"{title}: the video is damaged: {what}; "
                f"the results of the other {format_count(frames, 'frame')} are kept"
            )

    def _end_s(self) -> float | None:
        """Return when the span ends at the latest, or None if that is unknown."""
        ends = [end_s for end_s in (self._facts.end_s, self._span.end_s) if end_s is not None]
        if self._facts.end_s is None:
            return None  # the stream may end earlier than the span
        return min(ends)

    def _describe_empty_span(self) -> str:
        """Explain why there is no frame in the requested part."""
        until = "onward" if self._span.end_s is None else f"until {self._span.end_s:g} s"
        ends = f"; the video ends at {self._reached_s:.1f} s" if self._reached_s <= self._span.start_s else ""
        return f"no frame from {self._span.start_s:g} s {until}{ends}; choose another part"


def create_source(request: SourceRequest) -> VideoSource:
    """Create the source for one video."""
    return VideoSource(request.address, span=request.span, on_skipped=request.on_skipped)
