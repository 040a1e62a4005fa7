"""An event file that TensorBoard reads, written without TensorFlow, so that every backend has one.

The file is a sequence of records (length, checksum, payload, checksum), each payload an ``Event`` in Protocol
Buffers' wire format: tensorflow/core/util/event.proto, tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import make_folder

__all__ = ["EventFile"]

_MASK_DELTA: Final = 0xA282EAD8
_CASTAGNOLI: Final = 0x82F63B78  # the polynomial, reflected


class EventFile:
    """The event file of one process; scalars are on disk as soon as they are added."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"events.out.tfevents.{int(time.time())}.fer-train"

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Append the values of a step, under their tags; raises OutputError."""
        summary = b"".join(
            _field(1, _field(1, tag.encode()) + b"\x15" + struct.pack("<f", value))
            for tag, value in scalars.items()
        )
        event = b"\x10" + _varint(step) + _field(5, summary)
        try:
            make_folder(self._path.parent)
            with self._path.open("ab") as file:
                if not file.tell():
                    file.write(_record(_field(3, b"brain.Event:2")))
                file.write(_record(event))
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror or error}") from error


def _record(event: bytes) -> bytes:
    """An event, given all but its time, as a record."""
    event = b"\x09" + struct.pack("<d", time.time()) + event
    length = struct.pack("<Q", len(event))
    return length + _checksum(length) + event + _checksum(event)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _checksum(content: bytes) -> bytes:
    """CRC-32C, masked as TensorFlow's records have it."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF)
