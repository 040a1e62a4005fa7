"""The bundled models, any model's contract and the downloaded detectors, as text for people."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from fer_edge.errors import one_line
from fer_edge.models.detector_files import DETECTOR_FILES, DetectorFile, detectors_folder
from fer_edge.models.find_model import DEFAULT_MODEL, ModelFile, bundled_models, find_model
from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE
from fer_edge.runtime.tables import aligned

__all__ = ["render_model", "render_model_list"]


def render_model_list() -> str:
    """A line for each bundled model and each detector that can be downloaded."""
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
    lines = [*aligned(header, rows, range(len(header))), "", *_list_detectors(), ""]
    return "\n".join([*lines, f"Show one: fer-edge models {DEFAULT_MODEL}"])


def _list_detectors() -> list[str]:
    header = ("FACE DETECTOR", "SIZE", "LICENCE", "FILE")
    rows = []
    for name, file in DETECTOR_FILES.items():
        path, fault = _find_download(file)
        size = "" if fault is not None else f"{path.stat().st_size / 1e6:.2f} MB"
        rows.append((name, size, file.licence, one_line(str(path)) if fault is None else fault))
    return aligned(header, rows, range(len(header)))


def _find_download(file: DetectorFile) -> tuple[Path, str | None]:
    """Where a detector's model lies or would lie, and what is wrong with it; None where nothing is."""
    path = detectors_folder() / file.file_name
    remedy = f"run: fer-edge get {file.detector}"
    if not path.is_file():
        return path, f"not downloaded; {remedy}"
    try:
        fault = file.find_fault(path.read_bytes())
    except OSError as error:
        fault = f"it cannot be read: {error.strerror or error}"
    return path, None if fault is None else one_line(f"{path}: {fault}; {remedy}")


def _render_detector(name: str) -> str:
    file = DETECTOR_FILES[name]
    path, fault = _find_download(file)
    rows = [("face detector", name), ("file", str(path) if fault is None else fault)]
    if fault is None:
        content = path.read_bytes()
        rows += [("sha256", hashlib.sha256(content).hexdigest()), ("size", f"{len(content):,} bytes")]
    rows += [("licence", file.licence), ("from", file.addresses[0])]
    if file.notice:
        rows.append(("notice", file.notice))
    shown = [(key, one_line(value)) for key, value in rows]
    return "\n".join(aligned(shown[0], shown[1:], range(2)))


def render_model(name_or_path: str) -> str:
    """Everything a model's contract says, or what is known of a detector's model, a line for each thing."""
    if name_or_path in DETECTOR_FILES:
        return _render_detector(name_or_path)
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
            parts.append(f"{figures['accuracy']:.2%}{_interval(figures)}{of} ({split})")
    return ", ".join(parts)


def _interval(figures: dict[str, Any]) -> str:
    """The 95 % interval of a measured accuracy, where the file states it: `` [68.7–71.7%]``."""
    interval = figures.get("accuracy_interval")
    if not isinstance(interval, list) or not all(isinstance(bound, int | float) for bound in interval):
        return ""
    return f" [{100 * interval[0]:.1f}–{100 * interval[1]:.1f}%]" if len(interval) == 2 else ""
