"""Processor, board, display and cameras."""

from __future__ import annotations

import os
import platform
import struct
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fer_edge.doctor.finding import Finding
from fer_edge.runtime.system import describe_machine, processor_count, temperature, throttling

__all__ = ["check_board", "check_cameras", "check_display", "check_processor"]

_CPUINFO: Final = Path("/proc/cpuinfo")
# Instructions by which int8 networks are multiplied, the fastest last.
_FEATURES: Final = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm", "neon")
_HOT: Final = 75.0  # degrees Celsius; a Raspberry Pi slows down from 80 on
_PI: Final = "Raspberry Pi"

_QUERYCAP: Final = 0x80685600  # VIDIOC_QUERYCAP, whose struct v4l2_capability has 104 bytes
_CAPTURE, _DEVICE_CAPS = 0x00000001, 0x80000000
_PROBE_S: Final = 4.0
_FRAMES: Final = 15


def check_processor() -> Iterator[Finding]:
    """How many processors there are, and what they can do."""
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
        yield Finding("amber", "processor", found, "expect a third of the speed: it has no AVX2")
    elif processor_count() == 1:
        yield Finding("amber", "processor", found, "expect less than half of the speed with one processor")
    else:
        yield Finding("green", "processor", found)


def check_board() -> Iterator[Finding]:
    """Temperature, throttling and the camera library of a Raspberry Pi."""
    degrees = temperature()
    if degrees is not None:
        status, remedy = ("amber", "cool it: it slows down at 80 °C") if degrees >= _HOT else ("green", "")
        yield Finding(status, "temperature", f"{degrees:.0f} °C", remedy)  # type: ignore[arg-type]
    held_back = throttling()
    if held_back is not None:
        yield (
            Finding("amber", "power", ", ".join(held_back), "use the board's own power supply, and cool it")
            if held_back
            else Finding("green", "power", "nothing holds the processor back")
        )
    if _PI in describe_machine():
        yield (
            Finding("green", "picamera2", "it is installed")
            if find_spec("picamera2") is not None
            else Finding(
                "amber",
                "picamera2",
                "it is not installed in this environment",
                "for a camera on the ribbon cable: apt install python3-picamera2, and make the environment with "
                "--system-site-packages",
            )
        )


def check_display() -> Iterator[Finding]:
    """Whether windows can be shown."""
    try:
        import tkinter
    except ImportError:
        yield Finding("amber", "windows", "tkinter is not installed", "for --show: apt install python3-tk")
        return
    try:
        tkinter.Tk().destroy()
    except tkinter.TclError as error:
        yield Finding(
            "amber", "windows", f"no display: {error}", "use --no-show, or --serve to watch in a browser"
        )
    else:
        yield Finding("green", "windows", "they can be shown")


def check_cameras() -> Iterator[Finding]:
    """What each camera of this machine really gives."""
    devices = sorted(Path("/dev").glob("video*"), key=lambda path: (len(path.name), path.name))
    cameras = [path for path in devices if _can_capture(path)]
    if not cameras:
        yield Finding(
            "amber",
            "camera",
            "no camera on this machine",
            "plug one in, or name one on the network: fer-edge camera rtsp://…",
        )
    for path in cameras:
        yield _probe(path)


def _can_capture(path: Path) -> bool:
    """Whether a device gives images: on a Raspberry Pi most are codecs and such. One that cannot be asked may."""
    import fcntl  # not on Windows, which has no such devices

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
    """Read some frames of a camera, in a thread: its driver may block for ever."""
    if not os.access(path, os.R_OK | os.W_OK):
        remedy = "add yourself to the group video: sudo usermod -aG video $USER, and log in again"
        return Finding("red", f"camera {path}", "permission is denied", remedy)
    seen: dict[str, Any] = {"frames": 0}
    thread = threading.Thread(target=_read, args=(str(path), seen), daemon=True)
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
            "it cannot be opened",
            "end the program that uses it: fuser -v " + str(path),
        )
    return Finding(
        "red",
        f"camera {path}",
        "it opens and gives no images",
        "a camera on the ribbon cable is read with: fer-edge camera picamera; others: another cable or port",
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
