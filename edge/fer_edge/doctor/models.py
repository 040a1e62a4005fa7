"""Checks of the bundled models, of face detection and of downloaded detectors."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Final

from fer_edge.doctor.finding import Finding, split_remedy
from fer_edge.runtime.json_text import parse_json

__all__ = ["ANSWERS_SUFFIX", "check_detectors", "check_models", "compute_reference_scores"]

ANSWERS_SUFFIX: Final = ".answers.json"
"""The suffix of the file next to a bundled model that stores its expected scores of a known face."""

_TOLERANCE: Final = 0.1  # per score; the kernels of different processors round differently


def compute_reference_scores(model: str | Path) -> dict[str, float]:
    """Return a model's scores of the synthetic face by label, without a detector."""
    from fer_edge.benchmark.synthetic_video import draw_frames
    from fer_edge.classification.classifier import Classifier
    from fer_edge.models.find_model import find_model
    from fer_edge.types import Detection, Frame

    image, head = next(draw_frames(1))
    with Classifier(find_model(model), threads=1) as classifier:
        scores = classifier.classify(Frame(image), Detection(head.grown(-head.width // 8)))
    return {label: round(value, 4) for label, value in scores.as_dict().items()}


def check_models() -> Iterator[Finding]:
    """Check the hash, spec and predictions of each bundled model, and face detection."""
    from fer_edge.models.find_model import BUNDLED, list_bundled_models

    installed = list_bundled_models()
    for name in (*BUNDLED, *(name for name in installed if name not in BUNDLED)):
        if name in installed:
            yield _check_model(name)
        else:
            yield Finding("red", f"model {name}", "the file does not exist", "reinstall fer-edge")
    yield _check_detection()


def _check_model(name: str) -> Finding:
    from fer_edge.errors import FerEdgeError
    from fer_edge.models.find_model import find_model

    title = f"model {name}"
    try:
        model = find_model(name)
        if not _is_as_installed(model.path):
            return Finding("red", title, "the file has changed since it was installed", "reinstall fer-edge")
        found = compute_reference_scores(name)
        started = time.perf_counter()
        compute_reference_scores(name)
        took_ms = 1000 * (time.perf_counter() - started)
    except FerEdgeError as error:
        return Finding("red", title, *split_remedy(error, "reinstall fer-edge"))
    expected_path = model.path.with_suffix(ANSWERS_SUFFIX)
    what = f"{model.spec.variant}, sha256 {model.sha256[:12]}…"
    if not expected_path.is_file():
        return Finding("amber", title, f"{what}; its expected scores are missing", "reinstall fer-edge")
    expected = parse_json(expected_path.read_text("utf-8"))
    worst = max(abs(found[label] - value) for label, value in expected.items())
    if worst > _TOLERANCE:
        return Finding(
            "red",
            title,
            f"{what}; its scores of a known face are off by {worst:.2f}",
            "reinstall LiteRT: pip install --force-reinstall ai-edge-litert; if that does not help, report this",
        )
    return Finding("green", title, f"{what}; correct on a known face, {took_ms:.0f} ms including loading")


def _is_as_installed(path: Path) -> bool:
    """Return whether a file has the hash recorded in its wheel, if any."""
    try:
        stated = files("fer-edge") or []
    except PackageNotFoundError:
        return True
    for file in stated:
        if file.name == path.name and file.hash is not None and Path(str(file.locate())) == path:
            digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
            return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value
    return True


def _check_detection() -> Finding:
    from fer_edge.benchmark.synthetic_video import draw_frames
    from fer_edge.detectors.registry import create_detector
    from fer_edge.types import Frame

    image, head = next(draw_frames(1))
    detector = create_detector("haar", still_image=False)
    started = time.perf_counter()
    found = detector.detect(Frame(image))
    took_ms = 1000 * (time.perf_counter() - started)
    if not any(head.cover(face.box) > 0.8 for face in found):
        return Finding(
            "red",
            "detection",
            "Haar does not find a face that it should find",
            "pip install --force-reinstall 'opencv-python-headless<5'",
        )
    return Finding("green", "detection", f"Haar finds a known face, {took_ms:.0f} ms for 960×540 pixels")


def check_detectors() -> Iterator[Finding]:
    """Check the downloaded detector models.

    It is not a problem if none was downloaded.
    """
    from fer_edge.models.detector_files import DETECTOR_FILES, find_detectors_folder

    for name, file in DETECTOR_FILES.items():
        path = find_detectors_folder() / file.file_name
        if not path.is_file():
            continue
        fault = file.find_fault(path.read_bytes())
        if fault is None:
            yield Finding("green", f"detector {name}", str(path))
        else:
            yield Finding("red", f"detector {name}", f"{path}: {fault}", f"fer-edge get {name}")
