"""The model that a run begins with, as ``config.json`` holds it, so that the run can be resumed without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fer_edge.errors import RunError, UsageError
from fer_train.models.initial import find_initial_model, load_initial_network

if TYPE_CHECKING:
    import keras

__all__ = ["StartingPoint", "read_starting_point"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingPoint:
    """A trained network to begin with.

    ``name`` is its absolute path or bundled name. ``pixel_std`` is the number of gray levels by which the network
    divides, None where it does not. ``provenance`` goes into the trained model's.
    """

    name: str
    sha256: str
    pixel_std: float | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> keras.Model:
        """Load the network; raises ModelError, and UsageError where it is another one by now."""
        initial = find_initial_model(Path(self.name))
        if initial.sha256 != self.sha256:
            raise UsageError(
                f"{self.name}: the model that the run begins with has changed since the run was started; "
                "bring it back, or start anew with --overwrite"
            )
        return load_initial_network(initial)

    def as_dict(self) -> dict[str, Any]:
        """Return what ``config.json`` holds of it; :meth:`from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Any) -> Self:
        """Read what :meth:`as_dict` gave; raises RunError for anything else."""
        try:
            return cls(**stored)
        except TypeError as error:
            raise RunError(f"the run's config.json cannot be read: initial: {error}") from error


def read_starting_point(name: str) -> StartingPoint:
    """Read what a run has to know of the model that it begins with, a path or a bundled name.

    Raises ModelError or ContractError where there is none that fer-train can build.
    """
    initial = find_initial_model(Path(name))
    standardize = [layer for layer in load_initial_network(initial).layers if hasattr(layer, "std")]
    origin = initial.spec.provenance
    return StartingPoint(
        name=name,
        sha256=initial.sha256,
        pixel_std=standardize[0].std if standardize else None,
        provenance={
            "from": f"{Path(name).name} {initial.sha256[:8]} ({', '.join(initial.spec.labels)})",
            "licence": origin.get(
                "licence", "that of the data they were learned from, the first model's included"
            ),
        },
    )
