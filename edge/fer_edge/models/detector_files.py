"""The model files of face detectors: their URLs, location and verification."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fer_edge.errors import ModelError, UsageError
from fer_edge.runtime.hashing import sha256_of_file

__all__ = [
    "DETECTOR_FILES",
    "DetectorFile",
    "find_detector_file",
    "find_detectors_folder",
    "gives_finite_outputs",
    "identify_content",
]

_START: Final = 1024  # bytes to examine when identifying a file
_TFLITE: Final = b"TFL3"  # the file identifier of a TFLite flatbuffer, at byte offset 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorFile:
    """The published model file of a detector.

    The URLs in ``addresses`` are tried in order. ``size`` is in bytes, ``sha256`` in hexadecimal digits. If they are
    None, the hash of the published file is not known and only its structure is checked: a TFLite model with a single
    input of shape ``input_shape``. ``notice`` is shown to the user before the first use.
    """

    detector: str
    file_name: str
    addresses: tuple[str, ...]
    licence: str
    size: int | None = None
    sha256: str | None = None
    input_shape: tuple[int, ...] | None = None
    notice: str = ""

    def find_fault(self, content: bytes) -> str | None:
        """Describe why ``content`` is not this model; None if it is."""
        if (other := identify_content(content)) is not None:
            return f"it is {other}"
        if self.sha256 is not None:
            if len(content) != self.size:
                return f"its size is {len(content):,} bytes instead of {self.size:,}"
            found = hashlib.sha256(content).hexdigest()
            return None if found == self.sha256 else f"its sha256 is {found} instead of {self.sha256}"
        if content[4:8] != _TFLITE:
            return "it is not a TFLite model"
        return self._find_structural_fault(content)

    def _find_structural_fault(self, content: bytes) -> str | None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:  # 32-bit ARM, where MediaPipe does not run either
            return None
        try:
            inputs = Interpreter(model_content=content).get_input_details()
        except (ValueError, RuntimeError) as error:
            return f"it is a damaged TFLite model ({' '.join(str(error).split())})"
        shapes = [tuple(map(int, tensor["shape"])) for tensor in inputs]
        if shapes != [self.input_shape]:
            return f"it is a TFLite model with other inputs, {shapes}"
        return None if gives_finite_outputs(content) else "it is a TFLite model with damaged weights"

    @property
    def identity(self) -> str:
        """The size and hash of the file, as text."""
        if self.sha256 is None:
            return "the publisher does not state a hash"
        return f"{self.size:,} bytes, sha256 {self.sha256}"


_ZOO: Final = "models/face_detection_yunet/face_detection_yunet_2026may.onnx"

DETECTOR_FILES: Final[Mapping[str, DetectorFile]] = {
    file.detector: file
    for file in (
        DetectorFile(
            detector="yunet",
            file_name="face_detection_yunet_2026may.onnx",
            addresses=(
                # This commit was tested; the file on the branch may be replaced.
                f"https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98/{_ZOO}",
                f"https://github.com/opencv/opencv_zoo/raw/main/{_ZOO}",
                f"https://huggingface.co/opencv/opencv_zoo/resolve/main/{_ZOO}",
            ),
            licence="MIT",
            size=229_738,
            sha256="ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
        ),
        DetectorFile(
            detector="mediapipe",
            file_name="blaze_face_short_range.tflite",
            addresses=(
                "https://storage.googleapis.com/mediapipe-models/face_detector/blaze_face_short_range/"
                "float16/1/blaze_face_short_range.tflite",
            ),
            licence="Apache-2.0",
            input_shape=(1, 128, 128, 3),
            # According to METADATA of the package, version 1.2.2: "MediaPipe Tasks APIs send metrics about the
            # performance and utilization of the APIs in your app to Google."
            notice="MediaPipe sends metrics about its performance and use to Google "
            "(https://policies.google.com/privacy). You are responsible for obtaining the consent of your users. "
            "To avoid this, use the detector haar.",
        ),
    )
}
"""The model files by the name of the detector."""


def gives_finite_outputs(model: bytes) -> bool:
    """Return whether a TFLite model computes finite numbers from noise.

    With damaged weights it may not, and a detector would report that as "no face". True also for a model that LiteRT
    cannot run.
    """
    import numpy as np

    try:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
        for tensor in interpreter.get_input_details():
            noise = np.random.default_rng(0).uniform(-1, 1, tensor["shape"])
            interpreter.set_tensor(tensor["index"], noise.astype(tensor["dtype"]))
        interpreter.invoke()
        outputs = [interpreter.get_tensor(tensor["index"]) for tensor in interpreter.get_output_details()]
    except (ImportError, ValueError, RuntimeError):
        return True
    return all(bool(np.isfinite(output).all()) for output in outputs)


def find_detectors_folder() -> Path:
    """Return the user's folder of downloaded detectors, which may not exist yet.

    It is in ``XDG_DATA_HOME`` if that is set, otherwise in the usual place of the system. Raises UsageError if the
    user has no home folder.
    """
    named = os.environ.get("XDG_DATA_HOME", "")
    if named and Path(named).is_absolute():  # the XDG Base Directory Specification ignores relative paths
        return Path(named) / "fer-edge" / "detectors"
    try:
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA")
            data = Path(local) if local else Path.home() / "AppData" / "Local"
        elif sys.platform == "darwin":
            data = Path.home() / "Library" / "Application Support"
        else:
            data = Path.home() / ".local" / "share"
    except RuntimeError as error:
        raise UsageError("there is no home folder for downloads; set XDG_DATA_HOME to a folder") from error
    return data / "fer-edge" / "detectors"


def find_detector_file(detector: str) -> Path:
    """Return the path of a downloaded model.

    Raises ModelError if it is missing or invalid.
    """
    file = DETECTOR_FILES[detector]
    remedy = f"run: fer-edge get {detector}"
    path = find_detectors_folder() / file.file_name
    try:
        if not path.is_file():
            raise ModelError(f"the face detector {detector} has not been downloaded; {remedy}")
        if file.sha256 is not None and sha256_of_file(path) != file.sha256:
            raise ModelError(f"{path}: {file.find_fault(path.read_bytes())}; {remedy}")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}; {remedy}") from error
    return path


def identify_content(content: bytes) -> str | None:
    """Describe content that is commonly found in place of a model.

    Returns None for other content. Recognizes empty files, Git LFS pointers and web pages.
    """
    start = content[:_START].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not content:
        return "an empty file"
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer instead of the model itself"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--")):
        return "a web page, such as a network's sign-in page or a page about the model"
    return None
