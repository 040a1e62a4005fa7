"""The parsed options of ``camera``, ``image``, ``folder`` and ``video``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fer_edge.errors import UsageError
from fer_edge.sources.base import Span

__all__ = ["RunOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The values of the options that camera, image, folder and video share."""

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
    mqtt: str | None = field(repr=False)  # may contain a password
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
        """The part of each video to read; raises UsageError if it is empty."""
        span = Span(self.start or 0.0, self.end)
        if span.end_s is not None and span.end_s <= span.start_s:
            raise UsageError(f"--end ({span.end_s:g} s) must be later than --start ({span.start_s:g} s)")
        return span
