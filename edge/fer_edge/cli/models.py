"""The bundled models and any model's contract, as text for people."""

from __future__ import annotations

from typing import Any

from fer_edge.cli.app import one_line
from fer_edge.models.find_model import DEFAULT_MODEL, ModelFile, bundled_models, find_model
from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE
from fer_edge.runtime.tables import aligned

__all__ = ["render_model", "render_model_list"]


def render_model_list() -> str:
    """A line for each bundled model: network, variant, size, accuracy, labels."""
    header = ("NAME", "NETWORK", "VARIANT", "SIZE", "ACCURACY", "LICENCE OF THE WEIGHTS")
    rows = []
    for name in bundled_models():
        model = find_model(name)
        rows.append(
            (
                name,
                model.spec.name,
                model.spec.variant,
                f"{model.size / 1e6:.2f} MB",
                _accuracy(model) or "not measured",
                str(model.spec.provenance.get("licence", "not stated")),
            )
        )
    return "\n".join(
        [*aligned(header, rows, range(len(header))), "", f"Show one: fer-edge models {DEFAULT_MODEL}"]
    )


def render_model(name_or_path: str) -> str:
    """Everything a model's contract says, a line for each thing."""
    model = find_model(name_or_path)
    spec = model.spec
    crop = spec.crop
    rows = [
        ("model", spec.name),
        ("file", str(model.path)),
        ("sha256", model.sha256),
        ("size", f"{model.size:,} bytes"),
        ("variant", spec.variant),
        ("labels", ", ".join(spec.labels)),
        ("input", f"{spec.width}×{spec.height} pixels, {spec.color}, (pixel - {PIXEL_MEAN}) / {PIXEL_SCALE}"),
        (
            "crop",
            f"{'square, ' if crop.square else ''}margin {crop.margin:+.0%}, shifted down by {crop.shift_y:+.0%}, "
            f"resized with {spec.interpolation}",
        ),
        ("accuracy", _accuracy(model) or "not measured"),
        *((key.replace("_", " "), _plain(value)) for key, value in spec.provenance.items()),
    ]
    # A contract comes with the file, from whoever made it.
    shown = [(one_line(name), one_line(value)) for name, value in rows]
    return "\n".join(aligned(shown[0], shown[1:], range(2)))


def _plain(value: Any) -> str:
    """A value of the provenance for people: of an object its plain members."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {member}" for name, member in value.items() if not isinstance(member, dict))
    return str(value)


def _accuracy(model: ModelFile) -> str:
    parts = []
    for split, figures in model.spec.accuracy.items():
        if isinstance(figures, dict) and isinstance(figures.get("accuracy"), int | float):
            of = f" of {figures['samples']:,} faces" if isinstance(figures.get("samples"), int) else ""
            parts.append(f"{figures['accuracy']:.2%}{of} ({split})")
    return ", ".join(parts)
