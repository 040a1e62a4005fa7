"""The outcomes of sources and sections, which workers return to the scheduler."""

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

__all__ = ["FatalError", "Outcome", "SectionPlan", "SectionSummary", "SourceSummary", "Status"]

Status = Literal["complete", "damaged", "failed"]
"""A damaged source was read in part, and these rows are in the archive; a failed source has no rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionSummary:
    """The summary of a section, or of a source that was not split.

    ``duration_s`` is in seconds of video, ``worker_s`` in seconds of the worker's time. ``error`` describes the part
    that could not be read.
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
    """A row of the table of sources.

    ``file`` is the name of the row file in the archive, None if there is no such file.
    """

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
    def from_parts(cls, job: SourceJob, parts: Sequence[SectionSummary]) -> SourceSummary:
        """Combine the summaries of a source's sections."""
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
        """Create the summary of a source that failed and has no rows."""
        return replace(cls.from_parts(job, ()), error=error)

    def as_row(self) -> dict[str, Any]:
        """Return the row, without the manifest's columns."""
        row = asdict(self)
        del row["key"]
        return row | {"warnings": [*self.warnings]}


@dataclass(frozen=True, slots=True)
class SectionPlan:
    """The sections of a long source, and the summaries of those already finished."""

    sections: tuple[Section, ...]
    done: Mapping[int, SectionSummary]


@dataclass(frozen=True, slots=True)
class FatalError:
    """An error that affects every source, such as a missing model or a full disk."""

    error: FerEdgeError


Outcome = SourceSummary | SectionSummary | SectionPlan | FatalError


def format_metadata(identity: Identity, summary: SourceSummary | SectionSummary) -> bytes:
    """Build the metadata of a row file."""
    return json.dumps(identity.as_record() | {"summary": asdict(summary)}, ensure_ascii=False).encode()


def parse_source_summary(metadata: bytes) -> SourceSummary:
    """Parse the summary of a source from metadata.

    Raises ValueError for anything else.
    """
    return SourceSummary(**_parse(metadata))


def parse_section_summary(metadata: bytes) -> SectionSummary:
    """Parse the summary of a section from metadata.

    Raises ValueError for anything else.
    """
    return SectionSummary(**_parse(metadata))


def _parse(metadata: bytes) -> dict[str, Any]:
    try:
        record: dict[str, Any] = parse_json(metadata)["summary"]
        return record | {"warnings": tuple(record["warnings"])}
    except (KeyError, TypeError) as error:
        raise ValueError(f"no summary: {error}") from error
