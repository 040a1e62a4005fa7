"""Beginning in the middle of a video: where decoding starts, and which number the first frame has.

An ``.mp4`` or ``.mov`` has an index of all its frames. Of other containers the packets on the way are counted but not
decoded: the last key frame before the place, and what follows it, are held until the place is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from fer_edge.sources.presentation_clock import JUMP_S

__all__ = ["FrameNumbers", "PacketClock", "seek_by_index", "skip_packets"]

_INDEXED: Final = "mov"  # FFmpeg's name of .mp4, .mov and their kin begins so
_MOST_TRIES: Final = 8  # a key frame earlier each, where the one before is shown too late
_MOST_HELD: Final = 32 << 20  # bytes of packets; with more of them decoding begins
_VP8_SHOWN: Final = 1 << 4  # in the first byte of a frame
_TELL_EVERY: Final = 256  # packets

OnSkipped = Callable[[float], None]
"""Told now and then how far skipping is, in seconds of the source's clock."""


class FrameNumbers:
    """Numbers frames after a seek by the packets that are shown before them.

    ``base`` frames of the video lie before the key frame with which decoding begins. Give it every packet from
    that one on, until the first frame has its number. ``leading``: frames that come after the key frame and are
    shown before it are decoded where the video is read from its start, because it is not the first one.
    """

    def __init__(self, base: int, *, leading: bool = True) -> None:
        self._base, self._leading = base, leading
        self._key: int | None = None
        self._times: list[int] = []
        self._first: int | None = None

    def add(self, packet: Any) -> None:
        """Count a packet that goes to the decoder."""
        if self._first is not None or packet.pts is None:
            return
        if self._key is None:
            self._key = packet.pts
        if _is_shown(packet) and (self._leading or packet.pts >= self._key):
            self._times.append(packet.pts)

    def is_broken(self, pts: int) -> bool:
        """Whether a frame comes before the key frame, and so refers to frames that were not decoded."""
        return self._key is not None and pts < self._key

    def number_at(self, pts: int) -> int:
        """The number, from 0 in the video, of the first frame that is decoded, whose time that is."""
        self._first = self._base + sum(time < pts for time in self._times)
        return self._first


def seek_by_index(container: Any, stream: Any, start: int) -> FrameNumbers | None:
    """Move a container to the last key frame from which the frame at ``start``, in the stream's ticks, is decoded.

    None where it has no index of the whole video; the container is then at its beginning.
    """
    if not container.format.name.startswith(_INDEXED):
        return None
    entries = stream.index_entries
    if not stream.frames or len(entries) < stream.frames:
        return None  # in fragments, whose index grows as they are read
    target = start
    for _ in range(_MOST_TRIES):
        container.seek(target, stream=stream)
        packet = next(container.demux(stream))
        place = -1 if packet.dts is None else entries.search_timestamp(packet.dts, any_frame=True)
        if place < 0 or entries[place].timestamp != packet.dts:
            break  # a damaged index, or an edit that is shown twice
        if packet.pts <= start:
            container.seek(target, stream=stream)
            before = sum(not entries[earlier].is_discard for earlier in range(place))
            return FrameNumbers(before, leading=place > 0)
        target = packet.dts - 1
    container.seek(entries[0].timestamp, stream=stream)
    return None


class PacketClock:
    """The presentation times of packets, as :class:`PresentationClock` gives those of frames.

    Only where the container's clock may start again (``joins``) its jumps are followed, by the times of decoding.
    """

    def __init__(self, offset_s: float, interval_s: float, *, joins: bool) -> None:
        self.offset_s = offset_s
        self._interval_s, self._joins = interval_s, joins
        self._last_s: float | None = None

    def decoded_at(self, packet: Any) -> float | None:
        """When the packet is decoded, on the video's clock; None where it does not say."""
        if packet.dts is None:
            return None
        stamp_s = float(packet.dts * packet.time_base)
        if self._joins and self._last_s is not None:
            step_s = stamp_s - self._last_s
            if step_s >= JUMP_S or step_s < -self._interval_s:
                self.offset_s += step_s - self._interval_s
        self._last_s = stamp_s
        return stamp_s - self.offset_s

    def shown_at(self, packet: Any) -> float | None:
        """When the packet's frame is shown; None where it does not say."""
        return None if packet.pts is None else float(packet.pts * packet.time_base) - self.offset_s


def skip_packets(
    packets: Iterator[Any], start_s: float, clock: PacketClock, on_skipped: OnSkipped
) -> tuple[FrameNumbers | None, list[Any]]:
    """Read a video's packets until that time, and return those with which decoding begins.

    Beside them is what numbers their frames, None where that is the video's first; ``clock`` is then set as it was
    for the first of them.
    """
    held: list[Any] = []
    keys = count = base = size = 0
    offset_s, first = clock.offset_s, 0
    for index, packet in enumerate(packets):
        if not index and packet.pts is None:
            return None, [packet]  # nothing is known of the first frames, which are shown
        decoded_s, shown_s = clock.decoded_at(packet), clock.shown_at(packet)
        if packet.is_keyframe and shown_s is not None and (not keys or shown_s <= start_s):
            if not keys:
                first, count = packet.pts, 0  # what comes before it cannot be decoded
            held.clear()
            base, size, offset_s = count, 0, clock.offset_s
        keys += bool(packet.is_keyframe)
        held.append(packet)
        # What comes after the first key frame and is shown before it cannot be decoded; it may have no time.
        count += _is_shown(packet) and not (keys == 1 and (packet.pts is None or packet.pts < first))
        size += packet.size
        if index % _TELL_EVERY == 0 and decoded_s is not None:
            on_skipped(decoded_s)
        if (decoded_s is not None and decoded_s >= start_s) or size > _MOST_HELD:
            break
    clock.offset_s = offset_s
    return FrameNumbers(base, leading=base > 0), held


def _is_shown(packet: Any) -> bool:
    """Whether a packet becomes a frame that is shown."""
    if not packet.size or packet.is_discard:
        return False
    return packet.stream.codec_context.name != "vp8" or bool(memoryview(packet)[0] & _VP8_SHOWN)
