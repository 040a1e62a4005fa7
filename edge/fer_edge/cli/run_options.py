"""The options that camera, image, folder and video share, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fer_edge.errors import UsageError
from fer_edge.sources.base import Span

__all__ = ["RunOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options that the four commands share, as the command line gives them."""

    model: str | None
    detector: str
    detector_model: Path | None
    min_face: int | None
    detect_every: int | None
    smoothing: float | None
    flip_average: bool | None
    threads: int | None
    output: str | None
    results: tuple[str, ...]
    summary: Path | None
    overwrite: bool
    show: bool | None
    serve: str | None
    max_frames: int | None
    duration: float | None
    start: float | None
    end: float | None
    every: float | None
    append: bool
    keep_days: float | None
    keep_gb: float | None
    mirror: bool
    rules: tuple[str, ...]
    actions: tuple[str, ...]
    mqtt: str | None = field(repr=False)  # it may hold a password
    mqtt_ca: Path | None
    mqtt_cert: Path | None
    mqtt_key: Path | None
    faces: str | None
    anonymize: Literal["blur", "pixelate"] | None
    ids: bool
    encoder: str | None
    preset: str | None
    debug: bool

    @property
    def span(self) -> Span:
        """The part of each video that is read; raises UsageError where it is empty."""
        span = Span(self.start or 0.0, self.end)
        if span.end_s is not None and span.end_s <= span.start_s:
            raise UsageError(
                f"--end is {span.end_s:g} s, --start is {span.start_s:g} s; give an end after the start"
            )
        return span
