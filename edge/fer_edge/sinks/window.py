"""A native window for annotated images, using tkinter.

Without a display, tkinter raises an exception instead of aborting the process.
"""

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

_SCREEN_SHARE: Final = 0.85  # of the screen's width and height that an image may cover


class WindowSink:
    """Shows each annotated image in a window.

    Q, Escape or the close button close the window and end the run. Still images stay until a key is pressed.
    Raises OutputError if no window can be opened.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ModuleNotFoundError:
            raise OutputError(
                "cannot open a window: tkinter is not installed; install it (Debian: apt install python3-tk) "
                "or turn the window off with --no-show"
            ) from None
        self._tkinter: Any = tkinter
        try:
            self._root: Any = tkinter.Tk()
        except tkinter.TclError as error:
            raise OutputError(f"cannot open a window: {error}; turn it off with --no-show") from error
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
        """Begin a stream; closing the window ends its run."""
        self._stop, self._still = stop, stream.still

    def close(self) -> None:
        """Close the window."""
        self._root.destroy()

    def write(self, result: View | SkippedInput) -> None:
        """Show the image and handle the window's events."""
        if self._stop.is_set() or isinstance(result, SkippedInput):
            return
        # tkinter reads PPM without a library. The photo must stay referenced while it is shown.
        encoded, content = cv2.imencode(".ppm", self._fit(result.image()))
        if not encoded:
            raise OutputError("cannot show the image in a window")
        self._photo = self._tkinter.PhotoImage(data=content.tobytes(), format="PPM")
        self._label.configure(image=self._photo)
        self._root.update()
        self._key_pressed = False
        while self._still and not (self._key_pressed or self._stop.is_set()):
            self._root.update()
            self._root.after(20)

    def idle(self) -> None:
        """Handle the window's events while no image arrives."""
        if not self._stop.is_set():
            self._root.update()

    def _fit(self, image: Image) -> Any:
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
    """Create the window; raises OutputError if there is no display or no tkinter."""
    if not request.required and not has_display():
        raise OutputError("no display found")
    return WindowSink(request.target)


def has_display() -> bool:
    """Return whether a window can probably be opened.

    On Linux, the environment has to name a display.
    """
    if sys.platform == "linux":
        return bool(os.environ.get("DISPLAY"))
    return True
