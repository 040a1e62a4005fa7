"""The window on a fake screen: tkinter itself needs a display."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.errors import OutputError
from fer_edge.sinks.window import WindowSink, has_display
from fer_edge.types import Image, SkippedInput, StreamInfo
from tests.edge.sinks.filling import STREAM
from tests.edge.support import make_view, noise

STILL = StreamInfo(name="a.jpg", still=True)


class Screen(ModuleType):
    """The parts of tkinter that a WindowSink uses; ``on_update`` simulates the user while events are handled."""

    def __init__(self, width: int = 1920, height: int = 1080) -> None:
        super().__init__("tkinter")
        self.size = (width, height)
        self.shown: list[Image] = []
        self.title_shown = ""
        self.destroyed = 0
        self.bindings: dict[str, Callable[[Any], None]] = {}
        self.on_update: Callable[[], None] = lambda: None
        self.TclError = type("TclError", (Exception,), {})

    def press(self, key: str) -> None:
        self.bindings["<Key>"](SimpleNamespace(keysym=key))

    def press_close_button(self) -> None:
        self.bindings["WM_DELETE_WINDOW"](None)

    # Called by the sink.

    def Tk(self) -> Screen:  # noqa: N802
        return self

    def title(self, text: str) -> None:
        self.title_shown = text

    def protocol(self, name: str, function: Callable[[], None]) -> None:
        self.bindings[name] = lambda event: function()

    def bind(self, name: str, function: Callable[[Any], None]) -> None:
        self.bindings[name] = function

    def winfo_screenwidth(self) -> int:
        return self.size[0]

    def winfo_screenheight(self) -> int:
        return self.size[1]

    def Label(self, root: object, **options: object) -> Screen:  # noqa: N802
        return self

    def pack(self) -> None:
        pass

    def PhotoImage(self, *, data: bytes, format: str) -> Image:  # noqa: N802
        return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)

    def configure(self, *, image: Image) -> None:
        self.shown.append(image)

    def update(self) -> None:
        self.on_update()

    def after(self, milliseconds: int) -> None:
        pass

    def destroy(self) -> None:
        self.destroyed += 1


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    stand_in = Screen()
    monkeypatch.setitem(sys.modules, "tkinter", stand_in)
    return stand_in


def test_each_annotated_image_is_shown(screen: Screen) -> None:
    window, stop = WindowSink("fer-edge: clip"), Event()
    window.open(STREAM, stop)
    views = [make_view(number, image=noise(seed=number)) for number in range(3)]
    for view in views:
        window.write(view)
    window.write(SkippedInput("b", "broken"))
    window.close()
    assert screen.title_shown == "fer-edge: clip"
    assert len(screen.shown) == 3
    assert all(np.array_equal(shown, view.image()) for shown, view in zip(screen.shown, views, strict=True))
    assert not stop.is_set()
    assert screen.destroyed == 1


@pytest.mark.parametrize("key", ["q", "Q", "Escape"])
@pytest.mark.parametrize("stream", [STREAM, STILL], ids=["video", "still"])
def test_a_key_ends_the_run(key: str, stream: StreamInfo, screen: Screen) -> None:
    window, stop = WindowSink("w"), Event()
    window.open(stream, stop)
    screen.on_update = lambda: screen.press(key)
    window.write(make_view())
    assert stop.is_set()


def test_the_window_s_own_button_ends_the_run(screen: Screen) -> None:
    window, stop = WindowSink("w"), Event()
    window.open(STREAM, stop)
    screen.on_update = screen.press_close_button
    window.write(make_view())
    assert stop.is_set()


def test_another_key_does_not_end_a_video(screen: Screen) -> None:
    window, stop = WindowSink("w"), Event()
    window.open(STREAM, stop)
    screen.on_update = lambda: screen.press("x")
    window.write(make_view())
    assert not stop.is_set()


def test_a_still_image_stays_until_a_key_is_pressed(screen: Screen) -> None:
    window, stop = WindowSink("w"), Event()
    window.open(STILL, stop)
    updates = 0

    def update() -> None:
        nonlocal updates
        updates += 1
        if updates == 5:
            screen.press("space")

    screen.on_update = update
    window.write(make_view())
    assert updates == 5
    assert not stop.is_set()


def test_nothing_is_shown_once_the_run_ends(screen: Screen) -> None:
    window, stop = WindowSink("w"), Event()
    window.open(STREAM, stop)
    stop.set()
    window.write(make_view())
    assert screen.shown == []


def test_a_large_image_is_made_to_fit_the_screen(screen: Screen) -> None:
    screen.size = (800, 600)
    window = WindowSink("w")
    window.open(STREAM, Event())
    window.write(make_view(image=noise(1600, 600)))
    window.write(make_view(image=noise(400, 300)))
    height, width = screen.shown[0].shape[:2]
    assert width <= 800
    assert width / height == pytest.approx(1600 / 600, rel=0.02)
    assert screen.shown[1].shape == (300, 400, 3)


def test_no_display_is_an_error_with_the_remedy(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_display() -> Screen:
        raise screen.TclError("no display name")

    monkeypatch.setattr(screen, "Tk", no_display)
    with pytest.raises(
        OutputError, match="cannot open a window: no display name; turn it off with --no-show"
    ):
        WindowSink("w")


def test_a_python_without_tkinter_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(OutputError, match="cannot open a window: tkinter is not installed; install it"):
        WindowSink("w")


@pytest.mark.parametrize(
    ("platform", "display", "expected"),
    [("linux", ":0", True), ("linux", "", False), ("linux", None, False), ("darwin", None, True)],
)
def test_a_display_is_expected(
    platform: str, display: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    assert has_display() is expected


def test_its_button_ends_a_run_also_while_no_image_comes(screen: Screen) -> None:
    window, stop = WindowSink("w"), Event()
    window.open(STREAM, stop)
    screen.on_update = screen.press_close_button
    window.idle()
    assert stop.is_set()
