"""JPEG images out of a stream of bytes, whatever is between them.

Cameras differ in how they part images (boundaries with and without dashes, lengths that are missing or wrong, other
content types); where a JPEG ends is written in itself (ITU-T T.81, annex B).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["JpegSplitter"]

_START: Final = b"\xff\xd8\xff"
# Within a scan: not a stuffed zero, a restart, a fill byte, or the last byte that is known.
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_STAND_ALONE: Final = frozenset({_TEM, *range(0xD0, 0xD8)})  # markers without a length
_MOST_BYTES: Final = 64 << 20  # of an image


class JpegSplitter:
    """Takes bytes as they come and gives each image as soon as its last byte is there.

    An image that is cut off is left out. ``skipped`` counts bytes that belong to no image, ``broken`` images that
    were cut off.
    """

    def __init__(self) -> None:
        self.skipped = self.broken = 0
        self._data = bytearray()
        self._at = 0  # where to read on in an image that has begun
        self._begun = self._in_scan = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take more bytes; the images that are complete now."""
        self._data += data
        while self._begin():
            end = self._find_end()
            if end is None:
                if len(self._data) > _MOST_BYTES:
                    self._break_off(len(self._data))
                return
            yield bytes(self._data[:end])
            del self._data[:end]
            self._begun = False

    def _begin(self) -> bool:
        """Put an image's start at the front; whether there is one."""
        if self._begun:
            return True
        start = self._data.find(_START)
        # The marker itself may have been cut in two.
        left_out = max(0, len(self._data) - 2) if start < 0 else start
        self.skipped += left_out
        del self._data[:left_out]
        self._begun, self._in_scan, self._at = start >= 0, False, 2
        return self._begun

    def _find_end(self) -> int | None:
        """Where the image ends; None as long as that is not there."""
        while True:
            end = self._skip_scan() if self._in_scan else self._skip_segment()
            if end is None or end > 0:
                return end
            if not self._begun and not self._begin():
                return None

    def _skip_scan(self) -> int | None:
        """Go on to the next marker: 0, or the image's end; None where more bytes are needed."""
        match = _MARKER.search(self._data, self._at)
        if match is None:
            self._at = max(self._at, len(self._data) - 1)
            return None
        self._at, self._in_scan = match.start(), False
        return 0

    def _skip_segment(self) -> int | None:
        """Go past one marker and what belongs to it: 0, or the image's end; None where more bytes are needed."""
        data, at = self._data, self._at
        if len(data) < at + 2:
            return None
        if data[at] != 0xFF:
            self._break_off(at)
            return 0
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes
            self._at = at + 1
        elif marker == _EOI:
            return at + 2
        elif marker == _SOI or marker == 0:
            self._break_off(at)
        elif marker in _STAND_ALONE:
            self._at = at + 2
        else:
            if len(data) < at + 4:
                return None
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            if length < 2:
                self._break_off(at)
                return 0
            if len(data) < at + 2 + length:
                return None
            self._at, self._in_scan = at + 2 + length, marker == _SOS
        return 0

    def _break_off(self, at: int) -> None:
        """Leave out an image that does not go on; the next one may begin there."""
        self.broken += 1
        self.skipped += at
        del self._data[:at]
        self._begun = False
