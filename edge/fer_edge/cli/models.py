"""Implementation of ``models``: describe models and face detectors."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from fer_edge.errors import one_line
from fer_edge.models.detector_files import DETECTOR_FILES, DetectorFile, find_detectors_folder
from fer_edge.models.find_model import DEFAULT_MODEL, ModelFile, find_model, list_bundled_models
from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE
from fer_edge.runtime.tables import format_table

__all__ = ["render_model", "render_model_list"]


def render_model_list() -> str:
    """Return a table of the bundled models and the detectors available for download."""
    header = ("NAME", "NETWORK", "VARIANT", "SIZE", "ACCURACY", "LICENSE OF THE WEIGHTS")
    rows = []
    for name in list_bundled_models():
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
    lines = [*format_table(header, rows, range(len(header))), "", *_list_detectors(), ""]
    return "\n".join([*lines, f"To show one: fer-edge models {DEFAULT_MODEL}"])


def _list_detectors() -> list[str]:
    header = ("FACE DETECTOR", "SIZE", "LICENSE", "FILE")
    rows = []
    for name, file in DETECTOR_FILES.items():
        path, fault = _find_download(file)
        size = "" if fault is not None else f"{path.stat().st_size / 1e6:.2f} MB"
        rows.append((name, size, file.licence, one_line(str(path)) if fault is None else fault))
    return format_table(header, rows, range(len(header)))


def _find_download(file: DetectorFile) -> tuple[Path, str | None]:
    """Return the path of a detector's model file, and its problem.

    The problem is None if the file is valid.
    """
    path = find_detectors_folder() / file.file_name
    remedy = f"run: fer-edge get {file.detector}"
    if not path.is_file():
        return path, f"not downloaded; {remedy}"
    try:
        fault = file.find_fault(path.read_bytes())
    except OSError as error:
        fault = f"cannot be read: {error.strerror or error}"
    return path, None if fault is None else one_line(f"{path}: {fault}; {remedy}")


def _render_detector(name: str) -> str:
    file = DETECTOR_FILES[name]
    path, fault = _find_download(file)
    rows = [("face detector", name), ("file", str(path) if fault is None else fault)]
    if fault is None:
        content = path.read_bytes()
        rows += [("sha256", hashlib.sha256(content).hexdigest()), ("size", f"{len(content):,} bytes")]
    rows += [("license", file.licence), ("from", file.addresses[0])]
    if file.notice:
        rows.append(("notice", file.notice))
    shown = [(key, one_line(value)) for key, value in rows]
    return "\n".join(format_table(shown[0], shown[1:], range(2)))


def render_model(name_or_path: str) -> str:
    """Return the model spec of a model, or the properties of a detector, one per line."""
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
            f"resized with {spec.interpolation} interpolation",
        ),
        ("accuracy", _accuracy(model) or "not measured"),
        *((key.replace("_", " "), _plain(value)) for key, value in spec.provenance.items()),
    ]
    # The model spec is embedded in the file and thus untrusted.
    shown = [(one_line(name), one_line(value)) for name, value in rows]
    return "\n".join(format_table(shown[0], shown[1:], range(2)))


def _plain(value: Any) -> str:
    """Format a provenance value; of an object, only the members that are not objects."""
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
    """Format the 95% interval of an accuracy, if it is stated: `` [68.7–71.7%]``."""
    interval = figures.get("accuracy_interval")
    if not isinstance(interval, list) or not all(isinstance(bound, int | float) for bound in interval):
        return ""
    return f" [{100 * interval[0]:.1f}–{100 * interval[1]:.1f}%]" if len(interval) == 2 else ""
