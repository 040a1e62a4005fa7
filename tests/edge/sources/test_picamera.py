"""``camera picamera`` with a fake module that follows picamera2's documentation; not tested on hardware."""

from __future__ import annotations

import builtins
import sys
import types
from typing import Any, ClassVar

import av
import numpy as np
import pytest

from fer_edge.errors import SourceError, UsageError
from fer_edge.types import Frame
from tests.edge.sources.cameras import Watcher, camera
from tests.edge.support import corners, take_frames, wait_until


class Picamera2:
    """A sensor with one image in YUV 4:2:0, its rows padded to 64 bytes as on a Raspberry Pi 5."""

    cameras = 2
    fails: str | None = None
    nearest: tuple[int, int] | None = None
    made: ClassVar[list[Picamera2]] = []

    def __init__(self, camera_num: int = 0) -> None:
        if camera_num >= self.cameras:
            raise IndexError("list index out of range")
        if self.fails == "busy":
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.number, self.state, self.images = camera_num, "made", 0
        self.configuration: dict[str, Any] = {}
        Picamera2.made.append(self)

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return [{"Model": "imx708", "Location": 2, "Num": number} for number in range(Picamera2.cameras)]

    def create_video_configuration(self, main: dict[str, Any], controls: dict[str, Any]) -> dict[str, Any]:
        assert main["format"] == "YUV420"
        return {"main": dict(main), "controls": dict(controls)}

    def configure(self, configuration: dict[str, Any]) -> None:
        if self.nearest is not None:
            configuration["main"]["size"] = self.nearest
        width = configuration["main"]["size"][0]
        configuration["main"]["stride"] = (width + 63) // 64 * 64
        self.configuration, self.state = configuration, "configured"

    def camera_configuration(self) -> dict[str, Any]:
        return self.configuration

    def start(self) -> None:
        assert self.state == "configured"
        self.state = "started"

    def capture_metadata(self) -> dict[str, Any]:
        assert self.state == "started"
        return {
            "FrameDuration": self.configuration["controls"]["FrameDurationLimits"][0],
            "SensorTimestamp": 1,
        }

    def capture_array(self, name: str = "main") -> Any:
        assert (self.state, name) == ("started", "main")
        self.images += 1
        if self.fails == "later" and self.images > 3:
            raise RuntimeError("Camera frontend has timed out!")
        (width, height), stride = self.configuration["main"]["size"], self.configuration["main"]["stride"]
        shown = av.VideoFrame.from_ndarray(corners(width, height), format="bgr24")
        planes = shown.reformat(format="yuv420p", dst_colorspace="itu601").to_ndarray()
        padded = np.full((height * 3 // 2, stride), 77, np.uint8)
        padded[:height, :width] = planes[:height]
        chroma = padded[height:].reshape(2, height // 2, stride // 2)
        chroma[:, :, : width // 2] = planes[height:].reshape(2, height // 2, width // 2)
        return padded

    def stop(self) -> None:
        self.state = "stopped"

    def close(self) -> None:
        self.state = "closed"


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> type[Picamera2]:
    """Install the fake module, with two cameras."""
    module = types.ModuleType("picamera2")
    module.Picamera2 = Picamera2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    Picamera2.cameras, Picamera2.fails, Picamera2.nearest, Picamera2.made = 2, None, None, []
    return Picamera2


def test_frames_have_luma_first_and_the_right_colors(picamera2: type[Picamera2]) -> None:
    with camera("picamera", size=(200, 120), rate=20.0) as source:
        info = source.info
        frames = [item for item, _ in zip(source, range(3), strict=False) if isinstance(item, Frame)]
    assert (info.name, info.live, info.size, info.frame_rate) == ("picamera", True, (200, 120), 20.0)
    image = corners(200, 120)
    gray = image @ np.array([0.114, 0.587, 0.299])
    assert np.abs(frames[0].image.astype(int) - image).mean() < 4
    assert np.abs(frames[0].gray - gray).mean() < 2
    assert frames[0].clock is not None
    wait_until(lambda: picamera2.made[0].state == "closed")


def test_the_second_camera(picamera2: type[Picamera2]) -> None:
    with camera("picamera:1") as source:
        assert source.info.name == "picamera:1"
        assert source.info.size == (1280, 720)
    assert picamera2.made[0].number == 1


def test_it_takes_the_nearest_size(picamera2: type[Picamera2], caplog: pytest.LogCaptureFixture) -> None:
    picamera2.nearest = (640, 480)
    with camera("picamera", size=(641, 481)) as source:
        assert source.info.size == (640, 480)
    assert "camera picamera: requested 641×481, but it delivers 640×480" in caplog.messages


def test_one_that_stops_is_opened_again(picamera2: type[Picamera2]) -> None:
    picamera2.fails = "later"
    with Watcher(camera("picamera", size=(64, 48))) as watcher:
        wait_until(lambda: watcher.source.info.reconnects == 2)
    assert picamera2.made[0].state == "closed"
    assert "reconnect" in {change.reason for change in watcher.changes}


def test_a_camera_that_is_busy(picamera2: type[Picamera2]) -> None:
    picamera2.fails = "busy"
    _, error = take_frames(camera("picamera"))
    assert "cannot open the device: Camera __init__ sequence did not complete.; check its cable" in str(error)


def test_a_camera_that_is_not_connected(picamera2: type[Picamera2]) -> None:
    _, error = take_frames(camera("picamera:2"))
    assert "camera 2 is not connected; cameras found: 2" in str(error)


@pytest.mark.parametrize("name", ["picamera:one", "picamera:", "picamera:-1"])
def test_a_number_that_is_none(name: str) -> None:
    if name == "picamera:":
        camera(name)  # the first camera
        return
    with pytest.raises(UsageError, match="expected picamera or picamera:N"):
        camera(name)


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plain_import = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "picamera2":
            raise ModuleNotFoundError("No module named 'picamera2'", name="picamera2")
        return plain_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    _, error = take_frames(camera("picamera", reconnect_s=60))  # waiting does not help
    assert type(error) is SourceError
    assert "picamera2 is not installed; install it with: sudo apt install python3-picamera2" in str(error)
    assert "--system-site-packages" in str(error)
