"""Beginning in the middle of a video: where decoding starts, and which number the first frame has.

An ``.mp4`` or ``.mov`` has an index of all its frames. Of other containers the packets on the way are counted but not
decoded: the last key frame before the place, and what follows it, are held until the place is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from fer_edge.sources.presentation_clock import PresentationClock

__all__ = ["FrameNumbers", "seek_by_index", "skip_packets"]

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
    that one on, until the first frame has its number.
    """

    def __init__(self, base: int) -> None:
        self._base = base
        self._times: list[int] = []
        self._first: int | None = None

    def add(self, packet: Any) -> None:
        """Count a packet that goes to the decoder."""
        if self._first is None and packet.pts is not None and _is_shown(packet):
            self._times.append(packet.pts)

    def is_broken(self, pts: int) -> bool:
        """Whether a frame comes before the key frame, and so refers to frames that were not decoded."""
        return bool(self._times) and pts < self._times[0]

    def number_at(self, pts: int) -> int:
        """The number, from 0 in the video, of the first frame that is decoded, whose time that is."""
        self._first = self._base + sum(time < pts for time in self._times)
        return self._first


def seek_by_index(container: Any, stream: Any, start: int) -> FrameNumbers | None:
    """Move a container to the last key frame from which the frame at ``start``, in the stream's ticks, is decoded.

    None where it has no index, or one that does not reach so far; the container is then at its beginning.
    """
    if not container.format.name.startswith(_INDEXED):
        return None
    entries = stream.index_entries
    if not len(entries) or entries[len(entries) - 1].timestamp < start:
        return None
    target = start
    for _ in range(_MOST_TRIES):
        container.seek(target, stream=stream)
        packet = next(container.demux(stream))
        place = -1 if packet.dts is None else entries.search_timestamp(packet.dts, any_frame=True)
        if place < 0 or entries[place].timestamp != packet.dts:
            break  # a damaged index, or an edit that is shown twice
        if packet.pts <= start:
            container.seek(target, stream=stream)
            return FrameNumbers(sum(not entries[before].is_discard for before in range(place)))
        target = packet.dts - 1
    container.seek(entries[0].timestamp, stream=stream)
    return None


def skip_packets(
    packets: Iterator[Any], start_s: float, clock: PresentationClock, on_skipped: OnSkipped
) -> tuple[FrameNumbers, list[Any]]:
    """Read a video's packets until that time, and return those with which decoding begins.

    ``clock`` is told when packets are decoded, and follows the jumps of the container's clock.
    """
    held: list[Any] = []
    count = base = size = 0
    for index, (time_s, packet) in enumerate(clock.times(_stamp(packets))):
        shown_s = None if packet.pts is None else clock.to_presentation(float(packet.pts * packet.time_base))
        if packet.is_keyframe and shown_s is not None and shown_s <= start_s:
            held.clear()
            base, size = count, 0
        held.append(packet)
        count += _is_shown(packet)
        size += packet.size
        if index % _TELL_EVERY == 0:
            on_skipped(time_s)
        if time_s >= start_s or size > _MOST_HELD:
            break
    return FrameNumbers(base), held


def _stamp(packets: Iterator[Any]) -> Iterator[tuple[float | None, Any]]:
    """Packets with the times of their decoding, moved so that the first is decoded when it is shown."""
    delay: int | None = None
    for packet in packets:
        if delay is None and packet.dts is not None:
            delay = 0 if packet.pts is None else packet.pts - packet.dts
        yield None if packet.dts is None else float((packet.dts + (delay or 0)) * packet.time_base), packet


def _is_shown(packet: Any) -> bool:
    """Whether a packet becomes a frame that is shown."""
    if not packet.size or packet.is_discard:
        return False
    return packet.stream.codec_context.name != "vp8" or bool(memoryview(packet)[0] & _VP8_SHOWN)
