"""Rotate the frames of a source, for cameras mounted sideways or upside down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import UsageError
from fer_edge.sources.base import Source, SourceItem
from fer_edge.types import Discontinuity, Frame, StreamInfo

__all__ = ["RotatedSource"]

_ROTATIONS: Final = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class RotatedSource:
    """Another source's frames, rotated clockwise by 90, 180 or 270 degrees.

    Gray and color images are rotated on demand. Coordinates are those of the rotated frame. Raises UsageError for
    other angles.
    """

    def __init__(self, source: Source, degrees: int) -> None:
        if degrees not in _ROTATIONS:
            raise UsageError(f"frames can be rotated by 90, 180 or 270 degrees, not by {degrees}")
        self._source, self._degrees = source, degrees

    @property
    def info(self) -> StreamInfo:
        """The source's info, with the size of the rotated frames."""
        return self._rotate_info(self._source.info)

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[SourceItem]:
        for item in self._source:
            if isinstance(item, Frame):
                yield self._rotate_frame(item)
            elif isinstance(item, Discontinuity) and item.stream is not None:
                yield replace(item, stream=self._rotate_info(item.stream))
            else:
                yield item
            del item

    def _rotate_frame(self, frame: Frame) -> Frame:
        return Frame(
            lambda: self._rotate(frame.image),
            frame.source,
            frame.index,
            frame.time_s,
            gray=lambda: self._rotate(frame.gray),
            size=self._rotate_size(frame.size),
            clock=frame.clock,
        )

    def _rotate(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(cv2.rotate(pixels, _ROTATIONS[self._degrees]), np.uint8)

    def _rotate_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return size if self._degrees == 180 else (size[1], size[0])

    def _rotate_info(self, info: StreamInfo) -> StreamInfo:
        return info if info.size is None else replace(info, size=self._rotate_size(info.size))
