"""Checks of the processor, the board, the display and the cameras."""

from __future__ import annotations

import os
import platform
import struct
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fer_edge.doctor.finding import Finding
from fer_edge.runtime.background import BackgroundThread
from fer_edge.runtime.system import count_processors, describe_machine, read_temperature, read_throttling

__all__ = ["check_board", "check_cameras", "check_display", "check_processor"]

_CPUINFO: Final = Path("/proc/cpuinfo")
# CPU features that speed up int8 networks, in the order of their display.
_FEATURES: Final = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm", "neon")
_HOT: Final = 75.0  # degrees Celsius; a Raspberry Pi throttles at 80
_PI: Final = "Raspberry Pi"

_QUERYCAP: Final = 0x80685600  # VIDIOC_QUERYCAP, whose struct v4l2_capability has 104 bytes
_CAPTURE, _DEVICE_CAPS = 0x00000001, 0x80000000
_PROBE_S: Final = 4.0
_FRAMES: Final = 15


def check_processor() -> Iterator[Finding]:
    """Check the number and the features of the CPUs."""
    try:
        lines = _CPUINFO.read_text().splitlines()
        flags = next(
            line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))
        )
    except (OSError, StopIteration):
        flags = []
    known = [name for name in _FEATURES if name in flags]
    found = f"{describe_machine()}{', ' if known else ''}{', '.join(known)}"
    if platform.machine() == "x86_64" and flags and "avx2" not in flags:
        yield Finding("amber", "processor", found, "expect a third of the speed, because it has no AVX2")
    elif count_processors() == 1:
        yield Finding("amber", "processor", found, "expect less than half the speed with a single CPU")
    else:
        yield Finding("green", "processor", found)


def check_board() -> Iterator[Finding]:
    """Check the temperature, throttling and camera library of a Raspberry Pi."""
    degrees = read_temperature()
    if degrees is not None:
        status, remedy = (
            ("amber", "improve cooling; it throttles at 80 °C") if degrees >= _HOT else ("green", "")
        )
        yield Finding(status, "temperature", f"{degrees:.0f} °C", remedy)  # type: ignore[arg-type]
    held_back = read_throttling()
    if held_back is not None:
        yield (
            Finding(
                "amber", "power", ", ".join(held_back), "use the official power supply and improve cooling"
            )
            if held_back
            else Finding("green", "power", "the processor is not throttled")
        )
    if _PI in describe_machine():
        yield (
            Finding("green", "picamera2", "installed")
            if find_spec("picamera2") is not None
            else Finding(
                "amber",
                "picamera2",
                "not installed in this environment",
                "for a camera on the ribbon cable: apt install python3-picamera2, and create the environment with "
                "--system-site-packages",
            )
        )


def check_display() -> Iterator[Finding]:
    """Check whether windows can be shown."""
    try:
        import tkinter
    except ImportError:
        yield Finding("amber", "window", "tkinter is not installed", "for --show: apt install python3-tk")
        return
    try:
        tkinter.Tk().destroy()
    except tkinter.TclError as error:
        yield Finding(
            "amber", "window", f"no display: {error}", "use --no-show, or --serve to watch in a browser"
        )
    else:
        yield Finding("green", "window", "can be shown")


def check_cameras() -> Iterator[Finding]:
    """Read some frames from each camera of this machine."""
    devices = sorted(Path("/dev").glob("video*"), key=lambda path: (len(path.name), path.name))
    cameras = [path for path in devices if _can_capture(path)]
    if not cameras:
        yield Finding(
            "amber",
            "camera",
            "no camera on this machine",
            "connect a camera, or use a network camera: fer-edge camera rtsp://…",
        )
    for path in cameras:
        yield _probe(path)


def _can_capture(path: Path) -> bool:
    """Return whether a video device captures images, or cannot be queried.

    On a Raspberry Pi, most video devices are codecs and other processing blocks.
    """
    import fcntl  # does not exist on Windows, which has no such devices

    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        answer = fcntl.ioctl(device, _QUERYCAP, bytes(104))
    except OSError:
        return False
    finally:
        os.close(device)
    capabilities, of_device = struct.unpack_from("<II", answer, 84)
    return bool((of_device if capabilities & _DEVICE_CAPS else capabilities) & _CAPTURE)


def _probe(path: Path) -> Finding:
    """Read some frames of a camera, in a thread because the driver may block forever."""
    if not os.access(path, os.R_OK | os.W_OK):
        remedy = "add yourself to the group video and log in again: sudo usermod -aG video $USER"
        return Finding("red", f"camera {path}", "permission denied", remedy)
    seen: dict[str, Any] = {"frames": 0}
    thread = BackgroundThread(_read, str(path), seen)
    thread.start()
    thread.join(_PROBE_S)
    if seen["frames"] >= 2:
        width, height = seen["size"]
        rate = (seen["frames"] - 1) / max(seen["last"] - seen["first"], 1e-6)
        return Finding("green", f"camera {path}", f"{width}×{height} pixels, {rate:.0f} frames a second")
    if not seen.get("opened"):
        return Finding(
            "amber",
            f"camera {path}",
            "cannot be opened",
            "close the program that is using it; find it with: fuser -v " + str(path),
        )
    return Finding(
        "red",
        f"camera {path}",
        "opens but delivers no images",
        "for a camera on the ribbon cable use: fer-edge camera picamera; otherwise try another cable or port",
    )


def _read(path: str, seen: dict[str, Any]) -> None:
    import cv2

    capture = cv2.VideoCapture(path)
    seen["opened"] = capture.isOpened()
    while seen["opened"] and seen["frames"] < _FRAMES:
        read, image = capture.read()
        if not read:
            break
        seen["last"] = time.monotonic()
        seen.setdefault("first", seen["last"])
        seen["frames"] += 1
        seen["size"] = image.shape[1], image.shape[0]
    capture.release()
