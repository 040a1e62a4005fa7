"""Cameras on the network, and devices that do not exist."""

from __future__ import annotations

import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import SourceError, SourceLostError, UsageError
from fer_edge.sources.camera import CameraSource, as_bgr
from fer_edge.types import Frame
from tests.edge.support import corners, encode, take_frames


class MjpegServer(http.server.ThreadingHTTPServer):
    """A network camera: ``/N`` sends N pictures and breaks off, ``/N/stall`` then keeps silent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MjpegHandler)
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class MjpegHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, MjpegServer)
        count, _, then = self.path.strip("/").partition("/")
        if not count.isdecimal():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        jpeg = encode(".jpg", corners())
        part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)
        # A client that has what it wants leaves.
        with suppress(ConnectionError):
            for _ in range(int(count)):
                self.wfile.write(part)
                self.server.closing.wait(0.01)
        if then == "stall":
            self.server.closing.wait()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def network_camera() -> Iterator[str]:
    """The address of a network camera."""
    with MjpegServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.url
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV waits 0.3 s for a camera that is silent, however long it is told to."""
    capture = cv2.VideoCapture

    def opened(address: str, backend: int, options: list[int]) -> cv2.VideoCapture:
        names = options[::2]
        assert names == [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
        return capture(address, backend, [value for name in names for value in (name, 300)])

    monkeypatch.setattr(cv2, "VideoCapture", opened)


class TestCamera:
    def test_a_network_camera_s_pictures_come_in_order(self, network_camera: str) -> None:
        url = f"{network_camera}/1000"
        with CameraSource(url) as source:
            assert (source.info.name, source.info.live, source.info.frame_count) == (url, True, None)
            frames = [frame for frame, _ in zip(source, range(20), strict=False) if isinstance(frame, Frame)]
        times = [frame.time_s for frame in frames if frame.time_s is not None]
        assert [frame.index for frame in frames] == list(range(20))
        assert times[0] == 0
        assert times == sorted(times)
        assert all(np.abs(frame.image.astype(int) - corners()).mean() < 8 for frame in frames)
        assert {frame.source for frame in frames} == {url}

    def test_one_that_breaks_off_is_lost(self, network_camera: str) -> None:
        frames, error = take_frames(CameraSource(f"{network_camera}/20"))
        assert len(frames) == 20
        assert isinstance(error, SourceLostError)
        assert "it gave no more pictures after 20 frames" in str(error)

    @pytest.mark.usefixtures("impatient")
    def test_one_that_falls_silent_is_lost(self, network_camera: str) -> None:
        frames, error = take_frames(CameraSource(f"{network_camera}/20/stall"))
        assert len(frames) >= 19
        assert isinstance(error, SourceLostError)

    @pytest.mark.parametrize("path", ["0", "nothing/here"])
    def test_an_address_without_pictures_is_refused(self, path: str, network_camera: str) -> None:
        frames, error = take_frames(CameraSource(f"{network_camera}/{path}"))
        assert frames == []
        assert "it cannot be opened; check the address and that the camera answers" in str(error)

    @pytest.mark.usefixtures("impatient")
    def test_an_address_that_is_silent_is_refused(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            _, error = take_frames(CameraSource(f"http://127.0.0.1:{silent.getsockname()[1]}/"))
        assert "it cannot be opened" in str(error)

    @pytest.mark.parametrize("scheme", ["http", "rtsp"])
    def test_an_address_that_nobody_answers_is_refused(self, scheme: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        _, error = take_frames(CameraSource(f"{scheme}://127.0.0.1:{port}/"))
        assert "it cannot be opened; check the address and that the camera answers" in str(error)

    @pytest.mark.skipif(sys.platform != "linux", reason="cameras are files on Linux only")
    @pytest.mark.parametrize("name", ["97", 97, "/dev/video97", "/dev/no-camera"])
    def test_a_device_that_is_not_there_is_named(self, name: str | int) -> None:
        _, error = take_frames(CameraSource(name))
        device = name if isinstance(name, str) and name.startswith("/") else "/dev/video97"
        assert f"camera {name}: expected {device}, it is not there; found " in str(error)

    @pytest.mark.parametrize("name", ["", "clip.mp4", "webcam", "-1", "1.5"])
    def test_what_is_no_camera_is_refused(self, name: str) -> None:
        with pytest.raises(UsageError, match=r"expected a camera .* a file is read with: fer-edge video"):
            CameraSource(name)


def test_a_camera_s_password_is_neither_shown_nor_lost() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(10)
        asked: list[bytes] = []

        def answer() -> None:
            with server.accept()[0] as connection:
                asked.append(connection.recv(4096))

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with (
            pytest.raises(SourceError, match=r"user:\*\*\*@"),
            CameraSource(f"http://user:secret@{address}/"),
        ):
            pass
        thread.join()
    assert b"GET" in asked[0]


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
