"""Checks of Python, the required packages, OpenCV and FFmpeg."""

from __future__ import annotations

import platform
import struct
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distributions, version
from typing import Any, Final

from fer_edge._version import __version__
from fer_edge.doctor.finding import Finding, split_remedy
from fer_edge.errors import reason_of

__all__ = ["check_opencv", "check_packages", "check_python", "check_video"]

_MIN_PYTHON: Final = (3, 11)
_PACKAGES: Final = {"numpy": "numpy", "av": "PyAV", "PIL": "Pillow", "click": "Click", "tqdm": "tqdm"}
_OPENCVS: Final = frozenset(
    {"opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"}
)
_REINSTALL: Final = (
    "reinstall fer-edge in a new virtual environment: python3 -m venv ~/fer && . ~/fer/bin/activate"
)


def check_python() -> Iterator[Finding]:
    """Check the version of Python and whether it is a 64-bit build."""
    bits = 8 * struct.calcsize("P")
    found = f"fer-edge {__version__}, Python {platform.python_version()}, {bits} bit, {platform.platform()}"
    if sys.version_info < _MIN_PYTHON:
        yield Finding("red", "Python", found, "use Python 3.11 or newer")
    elif bits == 32:
        yield Finding(
            "amber", "Python", found, "use a 64-bit system; only an old, slow runtime exists for 32 bits"
        )
    else:
        yield Finding("green", "Python", found)


def check_packages() -> Iterator[Finding]:
    """Check the packages that fer-edge imports, and the model interpreter."""
    for module, name in _PACKAGES.items():
        yield _check_import(module, name)
    litert = _check_import("ai_edge_litert.interpreter", "LiteRT")
    if litert.status == "green":
        yield litert
        return
    old = _check_import("tflite_runtime.interpreter", "tflite-runtime")
    if old.status == "green":
        yield Finding(
            "amber",
            "LiteRT",
            f"not installed; using {old.found}, which is slow",
            "use a 64-bit system, for which LiteRT is available",
        )
    else:
        yield Finding("red", "LiteRT", litert.found, "pip install ai-edge-litert")


def _check_import(module: str, name: str) -> Finding:
    try:
        imported = import_module(module)
    except Exception as error:  # noqa: BLE001  (a broken package may raise anything)
        reason = reason_of(error)
        return Finding("red", name, f"cannot be imported: {reason}", _REINSTALL)
    return Finding("green", name, _version_of(module.partition(".")[0], imported))


def _version_of(package: str, module: Any) -> str:
    for name in (package.replace("_", "-"), package):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return str(getattr(module, "__version__", "unknown version"))


def check_opencv() -> Iterator[Finding]:
    """Check that exactly one OpenCV is installed and can load the Haar cascade."""
    installed = sorted({d.name.lower() for d in distributions() if d.name} & _OPENCVS)
    try:
        import cv2
    except Exception as error:  # noqa: BLE001  (such as a missing libGL.so.1)
        reason = reason_of(error)
        remedy = "pip install --force-reinstall 'opencv-python-headless<5'"
        if "libGL" in reason:
            remedy = "pip uninstall opencv-python; pip install --force-reinstall 'opencv-python-headless<5'"
        yield Finding("red", "OpenCV", f"cannot be imported: {reason}", remedy)
        return
    found = f"{cv2.__version__} ({', '.join(installed) or 'not from a wheel'})"
    if len(installed) > 1:
        others = " ".join(name for name in installed if name != "opencv-python-headless")
        yield Finding(
            "amber",
            "OpenCV",
            f"{found}: these packages overwrite each other",
            f"keep only one: pip uninstall {others}; pip install --force-reinstall 'opencv-python-headless<5'",
        )
    else:
        yield Finding("green", "OpenCV", found)
    from fer_edge.detectors.haar import load_cascade
    from fer_edge.errors import DetectorError

    try:
        load_cascade()
    except DetectorError as error:
        yield Finding("red", "Haar cascade", *split_remedy(error, "reinstall fer-edge"))
    else:
        yield Finding("green", "Haar cascade", "loads")


def check_video() -> Iterator[Finding]:
    """Check the decoders and encoders of FFmpeg for common video formats."""
    try:
        import av
    except Exception:  # noqa: BLE001  (check_packages reports it)
        return
    lacking = [name for name in ("h264", "hevc", "mjpeg", "vp9") if not _has_codec(av, name, "r")]
    encoders = [name for name in ("libx264", "libvpx-vp9", "aac", "libopus") if _has_codec(av, name, "w")]
    if lacking:
        yield Finding(
            "red", "video", f"FFmpeg lacks decoders: {', '.join(lacking)}", "pip install --force-reinstall av"
        )
    elif "libx264" not in encoders:
        yield Finding(
            "amber",
            "video",
            "FFmpeg has no libx264, so annotated .mp4 files cannot be written",
            "pip install --force-reinstall av, or write .webm",
        )
    else:
        yield Finding("green", "video", f"FFmpeg of PyAV {av.__version__}, encoders {', '.join(encoders)}")


def _has_codec(av: Any, name: str, mode: str) -> bool:
    try:
        av.codec.Codec(name, mode)
    except av.codec.codec.UnknownCodecError:
        return False
    return True
