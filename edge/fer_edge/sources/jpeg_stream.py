"""Extract JPEG images from a byte stream.

Cameras separate images in different ways (boundaries with or without dashes, missing or wrong lengths, other
content types), but a JPEG itself marks where it ends (ITU-T T.81, annex B).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["JpegSplitter"]

_START: Final = b"\xff\xd8\xff"
# Within a scan: anything but a stuffed zero, a restart marker or a fill byte; the last known byte never matches.
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_STAND_ALONE: Final = frozenset({_TEM, *range(0xD0, 0xD8)})  # markers without a length
_MAX_BYTES: Final = 64 << 20  # of an image
_PART: Final = re.compile(rb"content-type:\s*image/", re.IGNORECASE)
_TAIL: Final = 64  # bytes in which the header of a part may have begun
_MIN_PART: Final = 512  # bytes of a part that are more than its header


class JpegSplitter:
    """Splits incoming bytes into images.

    Each image is yielded as soon as its last byte arrives. Truncated images are dropped. ``skipped`` counts the bytes
    outside of images, ``broken`` the truncated images and the parts of a multipart stream that should be an image but
    contain other data.
    """

    def __init__(self) -> None:
        self.skipped = self.broken = 0
        self._data = bytearray()
        self._at = 0  # where to continue within the current image
        self._begun = self._in_scan = False
        self._tail = b""  # the last bytes before the next image
        self._part_at: int | None = None  # where the header of a part without an image so far was skipped

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add bytes and yield the images that they complete."""
        self._data += data
        while self._find_start():
            end = self._find_end()
            if end is None:
                if len(self._data) > _MAX_BYTES:
                    self._drop_image(len(self._data))
                return
            yield bytes(self._data[:end])
            del self._data[:end]
            self._begun = False

    def _find_start(self) -> bool:
        """Discard the bytes before the start of an image; return whether one was found."""
        if self._begun:
            return True
        start = self._data.find(_START)
        # The start marker itself may be split across two pieces of data.
        left_out = max(0, len(self._data) - 2) if start < 0 else start
        self._skip(left_out)
        self._begun, self._in_scan, self._at = start >= 0, False, 2
        if self._begun:
            self._tail, self._part_at = b"", None
        return self._begun

    def _skip(self, count: int) -> None:
        """Discard bytes outside of images, and count the parts among them that should be images."""
        known, start = len(self._tail), self.skipped - len(self._tail)
        text = self._tail + self._data[:count]
        for match in _PART.finditer(text):
            if match.end() > known:
                at = start + match.end()
                self.broken += self._part_at is not None and at - self._part_at > _MIN_PART
                self._part_at = at
        self.skipped += count
        self._tail = bytes(text[-_TAIL:])
        del self._data[:count]

    def _find_end(self) -> int | None:
        """Return where the image ends, or None if more bytes are needed."""
        while True:
            end = self._skip_scan() if self._in_scan else self._skip_segment()
            if end is None or end > 0:
                return end
            if not self._begun and not self._find_start():
                return None

    def _skip_scan(self) -> int | None:
        """Advance to the next marker; return 0, or None if more bytes are needed."""
        match = _MARKER.search(self._data, self._at)
        if match is None:
            self._at = max(self._at, len(self._data) - 1)
            return None
        self._at, self._in_scan = match.start(), False
        return 0

    def _skip_segment(self) -> int | None:
        """Advance past a marker and its segment.

        Returns 0, the end of the image after its end marker, or None if more bytes are needed.
        """
        data, at = self._data, self._at
        if len(data) < at + 2:
            return None
        if data[at] != 0xFF:
            self._drop_image(at)
            return 0
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes
            self._at = at + 1
        elif marker == _EOI:
            return at + 2
        elif marker == _SOI or marker == 0:
            self._drop_image(at)
        elif marker in _STAND_ALONE:
            self._at = at + 2
        else:
            if len(data) < at + 4:
                return None
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            if length < 2:
                self._drop_image(at)
                return 0
            if len(data) < at + 2 + length:
                return None
            self._at, self._in_scan = at + 2 + length, marker == _SOS
        return 0

    def _drop_image(self, at: int) -> None:
        """Drop an image that does not continue; the next one may begin at this position."""
        self.broken += 1
        self.skipped += at
        del self._data[:at]
        self._begun = False
