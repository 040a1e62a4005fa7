"""A native window, drawn by tkinter: where there is no display it fails with an exception, never an abort."""

from __future__ import annotations

import os
import sys
from threading import Event
from typing import Any, Final

import cv2

from fer_edge.errors import OutputError
from fer_edge.rendering.view import View
from fer_edge.sinks.base import SinkRequest
from fer_edge.types import Image, SkippedInput, StreamInfo

__all__ = ["WindowSink", "create_sink", "has_display"]

_SCREEN_SHARE: Final = 0.85  # of the screen's width and height that a picture may take


class WindowSink:
    """Shows each annotated image; Q, Escape or the window's own button close it, and end the run.

    Still images stay until a key is pressed. Raises OutputError where no window can be shown.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ModuleNotFoundError:
            raise OutputError(
                "a window needs tkinter, which this Python lacks; install it (Debian: apt install python3-tk) "
                "or leave the window out with --no-show"
            ) from None
        self._tkinter: Any = tkinter
        try:
            self._root: Any = tkinter.Tk()
        except tkinter.TclError as error:
            raise OutputError(f"no window can be had: {error}; leave it out with --no-show") from error
        self._stop = Event()
        self._still = False
        self._key_pressed = False
        self._root.title(title)
        self._root.protocol("WM_DELETE_WINDOW", self._close)
        self._root.bind("<Key>", self._on_key)
        self._label: Any = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._photo: Any = None

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """From now on closing the window ends the run."""
        self._stop, self._still = stop, stream.still

    def close(self) -> None:
        """Close the window."""
        self._root.destroy()

    def write(self, result: View | SkippedInput) -> None:
        """Show the image and handle the window's events."""
        if self._stop.is_set() or isinstance(result, SkippedInput):
            return
        # PPM is what tkinter reads without a library; it must stay referenced while it is shown.
        encoded, content = cv2.imencode(".ppm", self._fitted(result.image()))
        if not encoded:
            raise OutputError("the picture cannot be shown")
        self._photo = self._tkinter.PhotoImage(data=content.tobytes(), format="PPM")
        self._label.configure(image=self._photo)
        self._root.update()
        self._key_pressed = False
        while self._still and not (self._key_pressed or self._stop.is_set()):
            self._root.update()
            self._root.after(20)

    def idle(self) -> None:
        """Handle the window's events while no image comes."""
        if not self._stop.is_set():
            self._root.update()

    def _fitted(self, image: Image) -> Any:
        height, width = image.shape[:2]
        scale = min(
            1.0,
            self._root.winfo_screenwidth() * _SCREEN_SHARE / width,
            self._root.winfo_screenheight() * _SCREEN_SHARE / height,
        )
        if scale >= 1:
            return image
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

    def _on_key(self, event: Any) -> None:
        self._key_pressed = True
        if event.keysym in ("q", "Q", "Escape"):
            self._close()

    def _close(self) -> None:
        self._stop.set()


def create_sink(request: SinkRequest) -> WindowSink:
    """Make the window; raises OutputError where there is no display or no tkinter."""
    if not request.required and not has_display():
        raise OutputError("there is no display")
    return WindowSink(request.target)


def has_display() -> bool:
    """Whether a window can be expected: on Linux a display must be named in the environment."""
    if sys.platform == "linux":
        return bool(os.environ.get("DISPLAY"))
    return True
