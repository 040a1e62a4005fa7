"""The model that a run starts from, as stored in ``config.json``."""

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
    """A trained network to start from.

    ``name`` is its absolute path or bundled name. ``pixel_std`` is the standard deviation, in gray levels, by which
    the network divides its input, or None. ``provenance`` is added to that of the trained model.
    """

    name: str
    sha256: str
    pixel_std: float | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> keras.Model:
        """Load the network; raises ModelError, or UsageError if its file has changed."""
        initial = find_initial_model(Path(self.name))
        if initial.sha256 != self.sha256:
            raise UsageError(
                f"{self.name}: this model has changed since the run was started from it; "
                "restore it, or start the run over"
            )
        return load_initial_network(initial)

    def as_dict(self) -> dict[str, Any]:
        """Return the form stored in ``config.json``, which :meth:`from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Any) -> Self:
        """Build a starting point from the output of :meth:`as_dict`; raises RunError."""
        try:
            return cls(**stored)
        except TypeError as error:
            raise RunError(f"cannot read the run's config.json: initial: {error}") from error


def read_starting_point(name: str) -> StartingPoint:
    """Read the starting point of a run from a model's path or bundled name.

    Raises ModelError or ContractError if fer-train cannot build this model.
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
                "licence", "same as the training data, including that of the initial model"
            ),
        },
    )
