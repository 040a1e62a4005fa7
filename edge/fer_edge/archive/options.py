"""The options of an archive, the same for every worker and every resumed run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fer_edge._version import __version__
from fer_edge.errors import MissingExtraError, ModelError
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.runtime.json_text import parse_json
from fer_edge.sinks.rows.settings import collect_settings, describe_change
from fer_edge.sources.base import WHOLE, Span

__all__ = ["LEAD_S", "AnalysisOptions", "Identity", "check_model", "require_extra"]

LEAD_S: Final = 3.0
"""Seconds by which a section starts early, because tracking depends on the preceding frames.

Their rows are dropped.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisOptions:
    """Options of the analysis; small and picklable, because every task carries them.

    ``section_s`` is the length of the sections into which long videos are split, in seconds; 0 never splits. A worker
    that delivers no frame for ``stall_s`` seconds is terminated. The other options are those of the ``video``
    command.
    """

    model: str | None = None
    detector: str = "haar"
    detector_model: Path | None = None
    min_face: int | None = None
    detect_every: int | None = None
    smoothing: float = 0.0
    flip_average: bool = False
    every: float | None = None
    span: Span = WHOLE
    section_s: float = 300.0
    stall_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Identity:
    """The settings that must not change within an archive.

    ``options`` are the options that affect rows, keyed by their names on the command line. ``labels`` are those of
    the model, which are columns of the rows; ``extra_columns`` maps the columns of the manifest to their types.
    """

    model_name: str
    model_variant: str
    model_sha256: str
    labels: tuple[str, ...]
    options: Mapping[str, Any]
    extra_columns: Mapping[str, str]

    @classmethod
    def from_options(
        cls, options: AnalysisOptions, model: ModelFile, extra_columns: Mapping[str, str]
    ) -> Identity:
        """Collect the settings on which the rows depend."""
        chosen = {
            **collect_settings(options),
            "start": options.span.start_s,
            "end": options.span.end_s,
            "section": options.section_s,
        }
        spec = model.spec
        return cls(spec.name, spec.variant, model.sha256, spec.labels, chosen, dict(extra_columns))

    @classmethod
    def parse(cls, text: str | bytes) -> Identity:
        """Parse the output of :meth:`format`; raises ValueError for anything else."""
        try:
            record = parse_json(text)
            if record["format"] != _FORMAT:
                raise ValueError(f"format {record['format']!r}")
            model = record["model"]
            return cls(
                model["name"],
                model["variant"],
                model["sha256"],
                tuple(record["labels"]),
                dict(record["options"]),
                dict(record["carried"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the description of an archive: {error}") from error

    def as_record(self) -> dict[str, Any]:
        """Return the identity as a JSON object."""
        return {
            "format": _FORMAT,
            "version": __version__,
            "model": {
                "name": self.model_name,
                "variant": self.model_variant,
                "sha256": self.model_sha256,
            },
            "labels": [*self.labels],
            "options": dict(self.options),
            "carried": dict(self.extra_columns),
        }

    def format(self) -> bytes:
        """Return the identity as indented JSON."""
        return (json.dumps(self.as_record(), indent=2, ensure_ascii=False) + "\n").encode()

    def find_difference(self, other: Identity) -> str | None:
        """Describe the first difference to another identity; None if they are equal."""
        if self.model_sha256 != other.model_sha256:
            return f"model {self.model_name} {self.model_sha256[:12]}, not {other.model_name} {other.model_sha256[:12]}"
        change = describe_change(self.options, other.options)
        if change is not None:
            return change
        if dict(self.extra_columns) != dict(other.extra_columns):
            return f"{_list(self.extra_columns)} from the manifest, not {_list(other.extra_columns)}"
        return None


_FORMAT: Final = "fer-edge archive 1"


def _list(extra_columns: Mapping[str, str]) -> str:
    return (
        "columns " + ", ".join(f"{name} ({kind})" for name, kind in extra_columns.items())
        if extra_columns
        else "no column"
    )


def require_extra() -> None:
    """Raise MissingExtraError if Ray or pyarrow is not installed."""
    from importlib.util import find_spec

    for module, name in (("pyarrow", "pyarrow"), ("ray", "Ray")):
        if find_spec(module) is None:
            raise MissingExtraError(name, "archive")


def check_model(options: AnalysisOptions, sha256: str) -> ModelFile:
    """Find the model on this machine.

    Raises ModelError if it is missing or has another hash.
    """
    model = find_model(options.model)
    if model.sha256 != sha256:
        raise ModelError(
            f"{model.path}: differs from the model with which the archive was started ({model.sha256[:12]} instead "
            f"of {sha256[:12]}); install the same version of fer-edge and the same model file on every node"
        )
    return model
