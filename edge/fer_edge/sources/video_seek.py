"""Start reading in the middle of a video, with the right frame numbers.

An ``.mp4`` or ``.mov`` file has an index of all its frames. In other containers, the packets before the start are
counted but not decoded; the last key frame before it and the packets after that are held until the start is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from fer_edge.sources.presentation_clock import JUMP_S

__all__ = ["FrameNumbers", "PacketClock", "seek_by_index", "skip_packets"]

_INDEXED: Final = "mov"  # prefix of FFmpeg's format name for .mp4, .mov and related formats
_MAX_TRIES: Final = 8  # each tries the previous key frame, if the current one is shown too late
_MAX_HELD: Final = 32 << 20  # bytes of held packets; above this, decoding begins early
_VP8_SHOWN: Final = 1 << 4  # flag in the first byte of a frame
_REPORT_EVERY: Final = 256  # packets

OnSkipped = Callable[[float], None]
"""Called from time to time with the current position, in seconds on the source's clock."""


class FrameNumbers:
    """Numbers frames after a seek, by counting the packets that are shown before them.

    ``base`` is the number of frames before the key frame at which decoding begins. Pass every packet from that one on
    to ``add`` until the first frame has its number. ``leading``: count the frames that follow the key frame but are
    shown before it. They exist unless this is the video's first key frame.
    """

    def __init__(self, base: int, *, leading: bool = True) -> None:
        self._base, self._leading = base, leading
        self._key: int | None = None
        self._times: list[int] = []
        self._first: int | None = None

    def add(self, packet: Any) -> None:
        """Count a packet that is sent to the decoder."""
        if self._first is not None or packet.pts is None:
            return
        if self._key is None:
            self._key = packet.pts
        if _is_shown(packet) and (self._leading or packet.pts >= self._key):
            self._times.append(packet.pts)

    def is_broken(self, pts: int) -> bool:
        """Return whether a frame precedes the key frame and so lacks its references."""
        return self._key is not None and pts < self._key

    def number_at(self, pts: int) -> int:
        """Return the number of the first decoded frame, counted from 0 in the video.

        ``pts`` is the time of that frame, in ticks.
        """
        self._first = self._base + sum(time < pts for time in self._times)
        return self._first


def seek_by_index(container: Any, stream: Any, start: int) -> FrameNumbers | None:
    """Seek to the last key frame from which the frame at ``start`` can be decoded.

    ``start`` is in the stream's ticks. Returns None, with the container at its beginning, if there is no index of the
    whole video.
    """
    if not container.format.name.startswith(_INDEXED):
        return None
    entries = stream.index_entries
    if not stream.frames or len(entries) < stream.frames:
        return None  # a fragmented file, whose index grows while it is read
    target = start
    for _ in range(_MAX_TRIES):
        container.seek(target, stream=stream)
        packet = next(container.demux(stream))
        place = -1 if packet.dts is None else entries.search_timestamp(packet.dts, any_frame=True)
        if place < 0 or entries[place].timestamp != packet.dts:
            break  # a damaged index, or an edit list that shows a part twice
        if packet.pts <= start:
            container.seek(target, stream=stream)
            before = sum(not entries[earlier].is_discard for earlier in range(place))
            return FrameNumbers(before, leading=place > 0)
        target = packet.dts - 1
    container.seek(entries[0].timestamp, stream=stream)
    return None


class PacketClock:
    """Computes the presentation times of packets.

    They match those that :class:`PresentationClock` computes for frames. Clock jumps are followed only if the
    container's clock may restart (``clock_may_restart``), based on decoding times.
    """

    def __init__(self, offset_s: float, interval_s: float, *, clock_may_restart: bool) -> None:
        self.offset_s = offset_s
        self._interval_s, self._clock_may_restart = interval_s, clock_may_restart
        self._last_s: float | None = None

    def decoded_at(self, packet: Any) -> float | None:
        """Return when a packet is decoded, in seconds on the video's clock, or None."""
        if packet.dts is None:
            return None
        stamp_s = float(packet.dts * packet.time_base)
        if self._clock_may_restart and self._last_s is not None:
            step_s = stamp_s - self._last_s
            if step_s >= JUMP_S or step_s < -self._interval_s:
                self.offset_s += step_s - self._interval_s
        self._last_s = stamp_s
        return stamp_s - self.offset_s

    def shown_at(self, packet: Any) -> float | None:
        """Return when a packet's frame is shown, in seconds on the video's clock, or None."""
        return None if packet.pts is None else float(packet.pts * packet.time_base) - self.offset_s


def skip_packets(
    packets: Iterator[Any], start_s: float, clock: PacketClock, on_skipped: OnSkipped
) -> tuple[FrameNumbers | None, list[Any]]:
    """Read packets up to ``start_s`` and return those at which decoding begins.

    Returns (numbers, packets); ``numbers`` numbers their frames and is None if they start at the video's first frame.
    On return, ``clock`` is in the state it has at the first returned packet.
    """
    held: list[Any] = []
    keys = count = base = size = 0
    offset_s, first = clock.offset_s, 0
    for index, packet in enumerate(packets):
        if not index and packet.pts is None:
            return None, [packet]  # there are no times, so nothing can be skipped
        decoded_s, shown_s = clock.decoded_at(packet), clock.shown_at(packet)
        if packet.is_keyframe and shown_s is not None and (not keys or shown_s <= start_s):
            if not keys:
                first, count = packet.pts, 0  # packets before the first key frame cannot be decoded
            held.clear()
            base, size, offset_s = count, 0, clock.offset_s
        keys += bool(packet.is_keyframe)
        held.append(packet)
        # Packets after the first key frame that are shown before it cannot be decoded; they may have no time.
        count += _is_shown(packet) and not (keys == 1 and (packet.pts is None or packet.pts < first))
        size += packet.size
        if index % _REPORT_EVERY == 0 and decoded_s is not None:
            on_skipped(decoded_s)
        if (decoded_s is not None and decoded_s >= start_s) or size > _MAX_HELD:
            break
    clock.offset_s = offset_s
    return FrameNumbers(base, leading=base > 0), held


def _is_shown(packet: Any) -> bool:
    """Return whether a packet becomes a visible frame."""
    if not packet.size or packet.is_discard:
        return False
    return packet.stream.codec_context.name != "vp8" or bool(memoryview(packet)[0] & _VP8_SHOWN)
