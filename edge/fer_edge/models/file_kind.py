"""Identify files that are not TFLite models, and suggest what to do."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Final

from fer_edge.errors import ModelError

__all__ = ["check_tflite"]

_HEAD_BYTES: Final = 4096
_IDENTIFIER: Final = b"TFL3"  # the file identifier of a TFLite flatbuffer, at byte offset 4
_CONVERT: Final = "convert it to TFLite as docs/conversion.md shows"

_Kind = tuple[str, str]
_LFS: Final[_Kind] = ("a Git LFS pointer instead of the model", "fetch the model with: git lfs pull")
_PAGE: Final[_Kind] = ("a web page", "download the model file itself, often called the raw file")
_KERAS: Final[_Kind] = ("a Keras network", _CONVERT)
_SAVED_MODEL: Final[_Kind] = (
    "a TensorFlow SavedModel",
    "convert it with: tf.lite.TFLiteConverter.from_saved_model(folder).convert()",
)
_PYTORCH: Final[_Kind] = (
    "a PyTorch network",
    "convert it with litert-torch, channels last: docs/conversion.md",
)
_ONNX: Final[_Kind] = ("an ONNX network", "convert it with onnx2tf")
_TFJS: Final[_Kind] = (
    "a TensorFlow.js network",
    "export it as TensorFlow Lite, or convert its Keras network",
)
_PACKED: Final[_Kind] = ("a compressed archive", "unpack it and use the .tflite file inside")
_UNKNOWN: Final[_Kind] = (
    "damaged or of another format",
    "use a .tflite file, or copy or download this one again",
)

# Patterns of the first bytes of a file; the first match determines the kind.
_BEGINNINGS: Final[tuple[tuple[re.Pattern[bytes], _Kind], ...]] = (
    (re.compile(rb"\s*\Z"), ("empty", "copy or download it again")),
    (re.compile(rb"version https://git-lfs"), _LFS),
    (re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)", re.IGNORECASE), _PAGE),
    (re.compile(rb"\x89HDF\r\n"), _KERAS),
    (re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!"), _PACKED),
    (re.compile(rb"\x80[\x02-\x05]"), _PYTORCH),
    # An ONNX ModelProto: the IR version, then the name of the producer.
    (re.compile(rb"\x08[\x01-\x20]\x12.(?:pytorch|tf2onnx|keras2onnx|skl2onnx|onnx)", re.DOTALL), _ONNX),
    (re.compile(rb"\s*\{.*\"(?:modelTopology|weightsManifest)\"", re.DOTALL), _TFJS),
)
# Patterns of the names of files in a ZIP archive.
_MEMBERS: Final[tuple[tuple[re.Pattern[str], _Kind], ...]] = (
    (re.compile(r"model\.weights\.h5$|(?:^|/)[^/]*\.(?:keras|h5)$"), _KERAS),
    (re.compile(r"saved_model\.pb$"), _SAVED_MODEL),
    (re.compile(r"\.tflite$"), _PACKED),
    (re.compile(r"data\.pkl$"), _PYTORCH),
)


def check_tflite(path: Path) -> None:
    """Raise ModelError if a file does not start like a TFLite model.

    The message says what kind of file it is and what to do. A folder is also an error. The rest of the file is not
    checked here but by the interpreter.
    """
    if path.is_dir():
        saved = (path / "saved_model.pb").is_file()
        _refuse(path, _SAVED_MODEL if saved else ("a folder", "use a .tflite file"))
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}; use a .tflite file") from error
    if head[4:8] != _IDENTIFIER:
        _refuse(path, _identify(path, head))


def _identify(path: Path, head: bytes) -> _Kind:
    for beginning, kind in _BEGINNINGS:
        if beginning.match(head):
            return kind
    if head.startswith(b"PK"):
        return _identify_archive(path)
    return _ONNX if path.suffix.lower() == ".onnx" else _UNKNOWN


def _identify_archive(path: Path) -> _Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return _UNKNOWN
    for pattern, kind in _MEMBERS:
        if any(pattern.search(name) for name in names):
            return kind
    return _PACKED


def _refuse(path: Path, kind: _Kind) -> None:
    what, remedy = kind
    raise ModelError(f"{path}: not a TFLite model: it is {what}; {remedy}")
