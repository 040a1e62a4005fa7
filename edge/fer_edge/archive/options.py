"""What an archive is made with: the same for every worker, and for every run that goes on with it."""

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
from fer_edge.sources.base import WHOLE, Span

__all__ = ["LEAD_S", "AnalysisOptions", "Identity", "check_model", "require_extra"]

LEAD_S: Final = 3.0
"""Seconds that a section begins early: following faces depends on what came before. Their rows are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisOptions:
    """How each video is analyzed; small and picklable, as every task carries it.

    ``section_s`` is the length of the pieces in which a long video is analyzed, 0: never cut. ``stall_s``: seconds
    without a frame after which a worker is given up. The others are those of the command ``video``.
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
    """What may not change within an archive.

    ``options`` are those that change rows, by the names of the command line. ``labels`` are the model's, the last
    columns of the rows; ``carried`` maps the manifest's columns to their types.
    """

    model_name: str
    model_variant: str
    model_sha256: str
    labels: tuple[str, ...]
    options: Mapping[str, Any]
    carried: Mapping[str, str]

    @classmethod
    def of(cls, options: AnalysisOptions, model: ModelFile, carried: Mapping[str, str]) -> Identity:
        """Gather what the rows depend on."""
        chosen = {
            "detector": options.detector,
            "min-face": options.min_face,
            "detect-every": options.detect_every,
            "smoothing": options.smoothing,
            "flip-average": options.flip_average,
            "every": options.every,
            "start": options.span.start_s,
            "end": options.span.end_s,
            "section": options.section_s,
        }
        spec = model.spec
        return cls(spec.name, spec.variant, model.sha256, spec.labels, chosen, dict(carried))

    @classmethod
    def parse(cls, text: str | bytes) -> Identity:
        """Read what :meth:`format` wrote; raises ValueError for anything else."""
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
            raise ValueError(f"not an archive's description: {error}") from error

    def as_record(self) -> dict[str, Any]:
        """The identity as a JSON object."""
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
            "carried": dict(self.carried),
        }

    def format(self) -> bytes:
        """The identity as JSON that people can read."""
        return (json.dumps(self.as_record(), indent=2, ensure_ascii=False) + "\n").encode()

    def find_difference(self, other: Identity) -> str | None:
        """What is different in another identity, in words; None where nothing is."""
        if self.model_sha256 != other.model_sha256:
            return f"model {self.model_name} {self.model_sha256[:12]}, not {other.model_name} {other.model_sha256[:12]}"
        for name, value in self.options.items():
            theirs = other.options.get(name)
            if value != theirs:
                return f"{name} {_describe(value)}, not {_describe(theirs)}"
        if dict(self.carried) != dict(other.carried):
            return f"{_list(self.carried)} from the manifest, not {_list(other.carried)}"
        return None


_FORMAT: Final = "fer-edge archive 1"


def _describe(value: Any) -> str:
    return "the default" if value is None else f"{value}"


def _list(carried: Mapping[str, str]) -> str:
    return (
        "columns " + ", ".join(f"{name} ({kind})" for name, kind in carried.items())
        if carried
        else "no column"
    )


def require_extra() -> None:
    """Raise MissingExtraError where Ray or pyarrow is not installed."""
    from importlib.util import find_spec

    for module, name in (("pyarrow", "pyarrow"), ("ray", "Ray")):
        if find_spec(module) is None:
            raise MissingExtraError(name, "archive")


def check_model(options: AnalysisOptions, sha256: str) -> ModelFile:
    """Find the model on this machine; raises ModelError where it is missing or another one."""
    model = find_model(options.model)
    if model.sha256 != sha256:
        raise ModelError(
            f"{model.path}: another model than where the archive was started ({model.sha256[:12]} instead of "
            f"{sha256[:12]}); install the same version of fer-edge and the same model file on every node"
        )
    return model
