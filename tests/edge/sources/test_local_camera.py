"""Local cameras: missing, silent, blocked and frozen ones, and the settings they are opened with.

Tests run on machines without a camera. To test OpenCV itself, they let it open a file below /dev, as it would a device;
other tests use a fake device.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import SourceError, SourceLostError, UsageError, describe_error
from fer_edge.sources import local_camera
from fer_edge.sources.local_camera import FrozenImageDetector, as_bgr
from fer_edge.types import Frame
from tests.edge.sources.cameras import Watcher, camera
from tests.edge.support import corners, noise, plain, take_frames, wait_until, write_video

DEVICES = Path("/dev/shm")
needs_device_folder = pytest.mark.skipif(not DEVICES.is_dir(), reason="cameras are files only on Linux")


class Webcam:
    """A fake cv2.VideoCapture of a USB camera; class attributes hold what tests change."""

    size, rate = (64, 48), 30.0
    there = True
    image: Callable[[int], Any] = staticmethod(lambda number: noise(64, 48, seed=number))
    blocked = threading.Event()
    opened: ClassVar[list[Webcam]] = []

    def __init__(self, target: int | str) -> None:
        self.target, self.number, self.released = target, 0, False
        self.asked: dict[int, float] = {}
        Webcam.opened.append(self)

    def isOpened(self) -> bool:  # noqa: N802  (OpenCV's name)
        return Webcam.there

    def set(self, name: int, value: float) -> bool:
        self.asked[name] = value
        return True

    def get(self, name: int) -> float:
        return self.rate if name == cv2.CAP_PROP_FPS else 0.0

    def grab(self) -> bool:
        time.sleep(0.01)
        if Webcam.blocked.is_set():
            time.sleep(30)
        self.number += Webcam.there
        return Webcam.there

    def retrieve(self) -> tuple[bool, Any]:
        image = Webcam.image(self.number)
        return image is not None, image

    def release(self) -> None:
        self.released = True


@pytest.fixture
def webcam(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Webcam]]:
    """Provide a camera at index 0 that can be unplugged."""
    state = Webcam.__dict__.copy()
    Webcam.opened, Webcam.blocked = [], threading.Event()
    monkeypatch.setattr(cv2, "VideoCapture", Webcam)
    monkeypatch.setattr(local_camera, "_check_device", lambda target: None)
    yield Webcam
    for name in ("size", "rate", "there", "image"):
        setattr(Webcam, name, state[name])


class TestFrames:
    def test_they_are_numbered_and_timed(self, webcam: type[Webcam]) -> None:
        with camera("0") as source:
            info = source.info
            frames = [item for item, _ in zip(source, range(5), strict=False) if isinstance(item, Frame)]
        assert (info.name, info.live, info.size, info.frame_rate) == ("0", True, (64, 48), 30.0)
        assert [frames[0].index, frames[0].time_s] == [0, 0.0]
        assert all(frame.clock is not None and frame.clock.tzinfo for frame in frames)
        assert webcam.opened[0].target == 0
        wait_until(lambda: webcam.opened[0].released)

    def test_a_device_is_opened_by_its_name(self, webcam: type[Webcam]) -> None:
        with camera("/dev/video2"):
            assert webcam.opened[0].target == "/dev/video2"

    def test_a_slow_reader_gets_the_newest(self, webcam: type[Webcam]) -> None:
        webcam.image = staticmethod(lambda number: plain(min(255, number)))
        with camera("0") as source:
            for frame, _ in zip(source, range(4), strict=False):
                assert isinstance(frame, Frame)
                newest = webcam.opened[0].number
                assert newest - frame.image[0, 0, 0] <= newest // 2 + 3
                time.sleep(0.2)
        assert frame.index > 12

    def test_images_that_cannot_be_decoded_leave_a_gap(
        self, webcam: type[Webcam], caplog: pytest.LogCaptureFixture
    ) -> None:
        webcam.image = staticmethod(lambda number: plain(number) if number % 3 else None)
        with camera("0") as source:
            frames = [item for item, _ in zip(source, range(24), strict=False) if isinstance(item, Frame)]
        assert [frame.image[0, 0, 0] - frame.index for frame in frames] == [1] * 24
        assert caplog.messages[0] == "camera 0: skipped 1 damaged frame; check the camera and its connection"
        assert "skipped 10 damaged frames so far" in caplog.messages[1]

    @needs_device_folder
    def test_opencv_itself_reads_them(self) -> None:
        path = DEVICES / f"fer-edge-test-{os.getpid()}.avi"
        try:
            write_video(path, [corners()] * 12, size=(64, 48))
            frames, error = take_frames(camera(str(path), reconnect_s=0))
        finally:
            path.unlink()
        assert frames[0].size == (64, 48)
        assert isinstance(error, SourceLostError)
        assert "stopped delivering images" in str(error)


class TestAsking:
    def test_size_and_rate_are_asked_for(
        self, webcam: type[Webcam], caplog: pytest.LogCaptureFixture
    ) -> None:
        with camera("0", size=(64, 48), rate=30.0):
            asked = webcam.opened[0].asked
        assert (asked[cv2.CAP_PROP_FRAME_WIDTH], asked[cv2.CAP_PROP_FRAME_HEIGHT]) == (64, 48)
        assert asked[cv2.CAP_PROP_FPS] == 30
        assert caplog.messages == []

    def test_another_size_or_rate_is_told_once(
        self, webcam: type[Webcam], caplog: pytest.LogCaptureFixture
    ) -> None:
        with Watcher(camera("0", size=(1920, 1080), rate=60.0)) as watcher:
            webcam.there = False
            wait_until(lambda: watcher.source.info.lost)
            webcam.there = True
            wait_until(lambda: watcher.source.info.reconnects == 1)
        assert [text for text in caplog.messages if "requested" in text] == [
            "camera 0: requested 1920×1080, but it delivers 64×48",
            "camera 0: requested 60 frames a second, but it reports 30",
        ]


class TestLost:
    def test_one_that_is_unplugged_comes_back(self, webcam: type[Webcam]) -> None:
        with Watcher(camera("0")) as watcher:
            wait_until(lambda: len(watcher.frames) >= 5)
            webcam.there = False
            wait_until(lambda: watcher.source.info.lost)
            count = len(watcher.frames)
            webcam.there = True
            wait_until(lambda: len(watcher.frames) > count + 5)
        assert [change.reason for change in watcher.changes] == ["reconnect"]
        indices = [frame.index for frame in watcher.frames]
        assert indices == sorted(set(indices))

    def test_zero_disables_reconnecting(self, webcam: type[Webcam]) -> None:
        with Watcher(camera("0", reconnect_s=0)) as watcher:
            wait_until(lambda: len(watcher.frames) >= 5)
            webcam.there = False
            wait_until(lambda: watcher.error is not None)
        assert isinstance(watcher.error, SourceLostError)
        assert "stopped delivering images" in str(watcher.error)

    def test_a_read_that_blocks_in_the_driver_is_left_behind(
        self, webcam: type[Webcam], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local_camera, "SILENCE_S", 0.5)
        with Watcher(camera("0")) as watcher:
            wait_until(lambda: len(watcher.frames) >= 5)
            webcam.blocked.set()
            wait_until(lambda: watcher.source.info.lost)
            webcam.blocked.clear()
            wait_until(lambda: watcher.source.info.reconnects == 1)
            started = time.monotonic()
        assert time.monotonic() - started < 2
        assert not webcam.opened[0].released  # its thread is still waiting for the driver

    def test_threads_that_a_driver_holds_do_not_pile_up(
        self, webcam: type[Webcam], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local_camera, "SILENCE_S", 0.1)
        with Watcher(camera("0", reconnect_s=5)) as watcher:
            wait_until(lambda: len(watcher.frames) >= 1)
            webcam.blocked.set()
            wait_until(lambda: watcher.error is not None)
        assert "driver does not respond" in str(watcher.error)
        assert len(webcam.opened) <= 4

    def test_one_and_the_same_image_for_a_minute(
        self, webcam: type[Webcam], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(local_camera, "FROZEN_S", 0.4)
        webcam.image = staticmethod(lambda number: noise(64, 48, seed=min(number, 10)))
        with Watcher(camera("0")) as watcher:
            wait_until(lambda: watcher.source.info.reconnects == 1)
            time.sleep(0.8)
            # After reopening, images change at first; if they then freeze again, that is what the camera sees.
            assert watcher.source.info.reconnects == 1
        assert "image has not changed for 0.4 s; reconnecting" in caplog.text


class TestRefused:
    @pytest.mark.skipif(sys.platform != "linux", reason="cameras are files only on Linux")
    @pytest.mark.parametrize("name", ["97", "/dev/video97", "/dev/no-camera"])
    def test_a_device_that_does_not_exist(self, name: str) -> None:
        _, error = take_frames(camera(name))
        device = name if name.startswith("/") else "/dev/video97"
        assert f"camera {name}: {device} does not exist; found " in str(error)

    def test_one_that_cannot_be_opened(self, webcam: type[Webcam]) -> None:
        webcam.there = False
        _, error = take_frames(camera("0"))
        assert type(error) is SourceError
        assert "cannot open the device; check that no other program uses it" in str(error)
        wait_until(lambda: webcam.opened[0].released)

    @pytest.mark.parametrize("silent", [False, True])
    def test_one_that_opens_and_gives_nothing_names_libcamera(
        self, webcam: type[Webcam], monkeypatch: pytest.MonkeyPatch, *, silent: bool
    ) -> None:
        monkeypatch.setattr(local_camera, "SILENCE_S", 0.3)
        webcam.image = staticmethod(lambda number: None)
        if silent:
            webcam.blocked.set()
        _, error = take_frames(camera("0"))
        assert type(error) is SourceError
        assert "opened but delivered no image" in str(error)
        pipe = "rpicam-vid -t 0 --codec mjpeg --width 1280 --height 720 -o - | fer-edge video -"
        assert pipe in describe_error(error)

    @pytest.mark.parametrize("name", ["", "clip.mp4", "webcam", "-1", "1.5", "²"])
    def test_what_is_no_camera(self, name: str) -> None:
        with pytest.raises(UsageError, match=r"is not a camera address; use an index, .* URL$") as raised:
            camera(name)
        assert raised.value.hint == "to read a file, use: fer-edge video"


class TestFrozenImage:
    def test_it_takes_a_minute_of_the_same_pixels(self) -> None:
        frozen, image = FrozenImageDetector(), noise()
        assert [frozen.is_frozen(image, at) for at in (0.0, 30.0, 59.9, 60.0)] == [False, False, False, True]

    def test_another_image_begins_it_again(self) -> None:
        frozen = FrozenImageDetector()
        assert not frozen.is_frozen(noise(seed=1), 0.0)
        assert not frozen.is_frozen(noise(seed=2), 59.0)
        assert not frozen.is_frozen(noise(seed=2), 61.0)

    def test_what_is_the_same_after_it_was_opened_again_is_what_it_sees(self) -> None:
        frozen, image = FrozenImageDetector(), noise()
        assert [frozen.is_frozen(image, at) for at in (0.0, 60.0)] == [False, True]
        frozen.begin()
        assert not any(frozen.is_frozen(image, at) for at in (61.0, 121.0, 500.0))


@pytest.mark.parametrize(
    "image",
    [
        np.full((4, 6), 200, np.uint8),
        np.full((4, 6, 1), 200, np.uint8),
        np.full((4, 6, 3), 200, np.uint8),
        np.full((4, 6, 4), 200, np.uint8),
        np.full((4, 6), 200 * 257, np.uint16),
        np.full((4, 6, 3), 200 * 257, np.uint16),
    ],
)
def test_a_frame_of_any_kind_becomes_bgr(image: NDArray[np.integer[Any]]) -> None:
    assert np.array_equal(as_bgr(image), np.full((4, 6, 3), 200, np.uint8))
