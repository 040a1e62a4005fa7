"""What came of a source or a section, as it goes from the workers to the table of sources."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from fer_edge.archive.manifest import SourceJob
from fer_edge.archive.options import Identity
from fer_edge.archive.sections import Section
from fer_edge.errors import FerEdgeError
from fer_edge.runtime.json_text import parse_json

__all__ = ["Division", "Fatal", "Outcome", "SectionSummary", "SourceSummary", "Status"]

Status = Literal["complete", "damaged", "failed"]
"""Of a damaged source what could be read is in the archive, of a failed one nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionSummary:
    """What a section, or a whole source, came to.

    ``duration_s`` are seconds of the video, ``worker_s`` of the worker's time. ``error`` says what could not be read.
    """

    frames: int = 0
    frames_with_faces: int = 0
    faces: int = 0
    face_ids: int = 0
    duration_s: float = 0.0
    worker_s: float = 0.0
    error: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSummary:
    """A row of the table of sources; ``file`` is the rows' name in the archive, None where there is none."""

    key: str
    source: str
    address: str
    file: str | None
    status: Status
    frames: int = 0
    frames_with_faces: int = 0
    faces: int = 0
    face_ids: int = 0
    duration_s: float = 0.0
    sections: int = 1
    worker_s: float = 0.0
    finished: str = field(default_factory=lambda: datetime.now().astimezone().isoformat(timespec="seconds"))
    error: str | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, job: SourceJob, parts: Sequence[SectionSummary]) -> SourceSummary:
        """Sum up a source's sections."""
        errors = list(dict.fromkeys(part.error for part in parts if part.error is not None))
        frames = sum(part.frames for part in parts)
        status: Status = "failed" if not frames else "damaged" if errors else "complete"
        return cls(
            key=job.key,
            source=job.source,
            address=job.address,
            file=job.file if frames else None,
            status=status,
            frames=frames,
            frames_with_faces=sum(part.frames_with_faces for part in parts),
            faces=sum(part.faces for part in parts),
            face_ids=sum(part.face_ids for part in parts),
            duration_s=round(sum(part.duration_s for part in parts), 3),
            sections=len(parts),
            worker_s=round(sum(part.worker_s for part in parts), 3),
            error="; ".join(errors) or None,
            warnings=tuple(dict.fromkeys(text for part in parts for text in part.warnings)),
        )

    @classmethod
    def failure(cls, job: SourceJob, error: str) -> SourceSummary:
        """A source of which there are no rows."""
        return replace(cls.of(job, ()), error=error)

    def as_row(self) -> dict[str, Any]:
        """The row, without the manifest's columns."""
        row = asdict(self)
        del row["key"]
        return row | {"warnings": [*self.warnings]}


@dataclass(frozen=True, slots=True)
class Division:
    """A source is long: its sections, and those that an earlier run has done."""

    sections: tuple[Section, ...]
    done: Mapping[int, SectionSummary]


@dataclass(frozen=True, slots=True)
class Fatal:
    """Something that would stop every source, such as a missing model or a full disk; what to raise for it."""

    kind: type[FerEdgeError]
    message: str


Outcome = SourceSummary | SectionSummary | Division | Fatal


def format_metadata(identity: Identity, summary: SourceSummary | SectionSummary) -> bytes:
    """What a file of rows says of itself."""
    return json.dumps(identity.as_record() | {"summary": asdict(summary)}, ensure_ascii=False).encode()


def parse_source_summary(metadata: bytes) -> SourceSummary:
    """Read a source's summary back; raises ValueError for anything else."""
    return SourceSummary(**_parse(metadata))


def parse_section_summary(metadata: bytes) -> SectionSummary:
    """Read a section's summary back; raises ValueError for anything else."""
    return SectionSummary(**_parse(metadata))


def _parse(metadata: bytes) -> dict[str, Any]:
    try:
        record: dict[str, Any] = parse_json(metadata)["summary"]
        return record | {"warnings": tuple(record["warnings"])}
    except (KeyError, TypeError) as error:
        raise ValueError(f"no summary: {error}") from error
