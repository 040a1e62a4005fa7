"""Pictures, videos and cameras as they are met with, whole and damaged."""

from __future__ import annotations

import http.server
import math
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import SourceError, SourceLostError, UsageError
from fer_edge.sources import camera
from fer_edge.sources.base import Source
from fer_edge.sources.camera import CameraSource
from fer_edge.sources.images import PICTURE_SUFFIXES, PictureSource, find_pictures, read_picture
from fer_edge.sources.video import VideoSource, as_bgr, is_url, plausible_rate, without_password
from fer_edge.types import Frame, Unreadable

LOSSY = {".jpg", ".jpeg", ".jp2", ".webp"}


def scene(width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """A smooth picture without symmetry: each corner has a colour of its own."""
    corners = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    return np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def encoded(suffix: str, image: NDArray[np.integer[Any]], *options: int) -> bytes:
    done, content = cv2.imencode(suffix, image, options)
    assert done
    return content.tobytes()


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def with_exif(jpeg: bytes, orientation: int, thumbnail: bytes = b"") -> bytes:
    """The JPEG with an EXIF header that says how it is turned, and holds a thumbnail."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0) + thumbnail
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


class TestReadPicture:
    @pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES - {".pbm", ".pgm"}))
    def test_every_format_is_read(self, suffix: str, tmp_path: Path) -> None:
        read = read_picture(written(tmp_path / f"a{suffix}", encoded(suffix, scene())))
        assert read.dtype == np.uint8
        assert read.shape == (48, 64, 3)
        assert np.abs(read.astype(int) - scene()).mean() <= (8 if suffix in LOSSY else 0)

    @pytest.mark.parametrize(
        ("name", "content"),
        [("bits.pbm", b"P1 2 2\n0 1\n1 0\n"), ("grey.pgm", b"P5 2 2 255\n\xff\0\0\xff")],
    )
    def test_every_grey_format_is_read(self, name: str, content: bytes, tmp_path: Path) -> None:
        read = read_picture(written(tmp_path / name, content))
        assert read.tolist() == [[[255] * 3, [0] * 3], [[0] * 3, [255] * 3]]

    @pytest.mark.parametrize("suffix", ["", ".bin", ".txt", ".png"])
    def test_the_file_s_name_does_not_matter(self, suffix: str, tmp_path: Path) -> None:
        path = written(tmp_path / f"a{suffix}", encoded(".bmp", scene()))
        assert np.array_equal(read_picture(path), scene())

    @pytest.mark.parametrize(
        "name", ["フェイス.png", "Gesicht – schön.png", "лицо.png", "a b'c\".png", "😀.png"]
    )
    def test_names_of_any_script(self, name: str, tmp_path: Path) -> None:
        path = written(tmp_path / "Bilder ü" / name, encoded(".png", scene()))
        assert np.array_equal(read_picture(path), scene())
        assert np.array_equal(read_picture(str(path)), scene())

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
    def test_a_name_that_is_no_text(self, tmp_path: Path) -> None:
        path = written(tmp_path / os.fsdecode(b"bild\xff.png"), encoded(".png", scene()))
        assert np.array_equal(read_picture(path), scene())

    @pytest.mark.parametrize(
        ("orientation", "turned"),
        [
            (1, lambda image: image),
            (2, lambda image: image[:, ::-1]),
            (3, lambda image: image[::-1, ::-1]),
            (4, lambda image: image[::-1]),
            (5, lambda image: image.transpose(1, 0, 2)),
            (6, lambda image: np.rot90(image, -1)),
            (7, lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
            (8, lambda image: np.rot90(image)),
            (0, lambda image: image),
            (99, lambda image: image),
        ],
    )
    def test_a_photograph_is_turned_as_its_exif_data_say(
        self, orientation: int, turned: Callable[[Any], Any], tmp_path: Path
    ) -> None:
        jpeg = encoded(".jpg", scene())
        upright = read_picture(written(tmp_path / "upright.jpg", jpeg))
        read = read_picture(written(tmp_path / "turned.jpg", with_exif(jpeg, orientation)))
        assert np.array_equal(read, turned(upright))

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_sixteen_bits_become_eight(self, suffix: str, tmp_path: Path) -> None:
        image = scene().astype(np.uint16) * 257
        read = read_picture(written(tmp_path / f"a{suffix}", encoded(suffix, image)))
        assert np.abs(read.astype(int) - scene()).max() <= 1

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_grey_becomes_three_equal_channels(
        self, dtype: type[np.unsignedinteger[Any]], tmp_path: Path
    ) -> None:
        levels = np.arange(256).reshape(16, 16)
        gray = (levels * (np.iinfo(dtype).max // 255)).astype(dtype)
        read = read_picture(written(tmp_path / "a.png", encoded(".png", gray)))
        assert np.array_equal(read, np.repeat(levels[..., None], 3, axis=2))

    def test_transparency_is_left_out(self, tmp_path: Path) -> None:
        image = np.dstack([scene(), np.full((48, 64), 100, np.uint8)])
        assert np.array_equal(read_picture(written(tmp_path / "a.png", encoded(".png", image))), scene())

    def test_a_progressive_jpeg_with_restarts_is_whole(self, tmp_path: Path) -> None:
        options = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
        jpeg = encoded(".jpg", scene(), *options)
        assert read_picture(written(tmp_path / "a.jpg", jpeg)).shape == (48, 64, 3)

    def test_what_a_telephone_appends_to_a_jpeg_is_left_alone(self, tmp_path: Path) -> None:
        film = b"\0\0\0\x18ftypmp42" + b"\xff\xd9 \xff\xda any bytes" * 100
        path = written(tmp_path / "motion.jpg", encoded(".jpg", scene()) + film)
        assert read_picture(path).shape == (48, 64, 3)

    @pytest.mark.parametrize("kept", [0.01, 0.3, 0.6, 0.9, 0.999])
    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif"])
    def test_a_truncated_picture_is_no_picture(
        self, suffix: str, kept: float, tmp_path: Path, portrait: NDArray[np.uint8]
    ) -> None:
        content = encoded(suffix, portrait[100:400])
        path = written(tmp_path / f"part{suffix}", content[: int(len(content) * kept)])
        with pytest.raises(SourceError, match=f"part{suffix}: "):
            read_picture(path)

    def test_a_thumbnail_s_end_is_not_the_jpeg_s(self, tmp_path: Path, portrait: NDArray[np.uint8]) -> None:
        thumbnail = encoded(".jpg", scene(16, 16))
        jpeg = with_exif(encoded(".jpg", portrait), 1, thumbnail)
        assert read_picture(written(tmp_path / "whole.jpg", jpeg)).shape == portrait.shape
        with pytest.raises(SourceError, match="the JPEG ends before its picture does; get the whole file"):
            read_picture(written(tmp_path / "part.jpg", jpeg[: len(jpeg) // 2]))

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "a.jpg: expected a picture, the file is empty"),
            (b"Dear Sir or Madam,\n", "a.jpg: expected a picture, the file is none that OpenCV can read"),
            (b"\xff\xd8", "a.jpg: expected a picture"),
            (b"\xff\xd8\xff\xe0\0\0" * 9, "a.jpg: expected a picture"),
            (b"\x89PNG\r\n\x1a\n", "a.jpg: expected a picture"),
            (bytes(10_000), "a.jpg: expected a picture"),
        ],
    )
    def test_what_is_no_picture_is_refused(self, content: bytes, message: str, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=message):
            read_picture(written(tmp_path / "a.jpg", content))

    @pytest.mark.parametrize("name", ["missing.jpg", "no\0name.jpg", "x" * 300 + ".jpg", "missing/a.jpg"])
    def test_what_cannot_be_opened_is_refused(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="expected a picture, the file cannot be read: "):
            read_picture(tmp_path / name)

    def test_a_picture_too_large_for_memory_is_refused(self, tmp_path: Path) -> None:
        path = written(tmp_path / "bomb.ppm", b"P6 999999 999999 255\n" + bytes(100))
        with pytest.raises(SourceError, match=r"bomb\.ppm: "):
            read_picture(path)


class TestFindPictures:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name in ("b.png", "a.JPG", "c.txt", ".hidden.png", "sub/d.webp", "sub/deep/e.tiff", ".git/f.png"):
            written(tmp_path / "faces" / name, b"x")
        return tmp_path / "faces"

    @pytest.mark.parametrize(
        ("recursive", "names"),
        [(False, ["a.JPG", "b.png"]), (True, ["a.JPG", "b.png", "sub/d.webp", "sub/deep/e.tiff"])],
    )
    def test_pictures_are_found_by_their_suffix_in_order(
        self, recursive: bool, names: list[str], folder: Path
    ) -> None:
        assert find_pictures(folder, recursive=recursive) == [folder / name for name in names]

    def test_paths_begin_as_the_folder_was_given(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder.parent)
        assert find_pictures("faces")[0] == Path("faces/a.JPG")

    def test_links_to_files_are_followed_and_links_to_folders_are_not(self, folder: Path) -> None:
        (folder / "z.png").symlink_to(folder / "b.png")
        (folder / "loop").symlink_to(folder, target_is_directory=True)
        (folder / "gone.png").symlink_to(folder / "nothing")
        found = [path.name for path in find_pictures(folder, recursive=True)]
        assert found == ["a.JPG", "b.png", "d.webp", "e.tiff", "z.png"]

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("missing", "expected a folder, got .*missing', which is not there"),
            ("faces/b.png", "which is a file; name it with: fer-edge image"),
            ("empty", "expected pictures .* found none; its subfolders .* --recursive"),
        ],
    )
    def test_a_folder_without_pictures_is_refused(self, name: str, message: str, folder: Path) -> None:
        (folder.parent / "empty").mkdir()
        with pytest.raises(SourceError, match=message):
            find_pictures(folder.parent / name)

    def test_a_folder_below_that_may_not_be_read_is_named_when_it_is_read(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed = folder / "c"
        closed.mkdir(exist_ok=True)
        scandir = os.scandir

        def refusing(path: Any) -> Any:  # as for anyone but root
            if Path(path) == closed:
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refusing)
        found = find_pictures(folder, recursive=True)
        assert closed in found
        assert folder / "b.png" in found
        with pytest.raises(SourceError, match="c: the folder cannot be read"):
            read_picture(closed)

    def test_the_hint_is_left_out_where_it_was_taken(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"found none$"):
            find_pictures(tmp_path, recursive=True)


def test_pictures_come_in_order_and_an_unreadable_one_does_not_end_them(tmp_path: Path) -> None:
    paths = [written(tmp_path / name, encoded(".png", scene())) for name in ("b.png", "a.png", "c.png")]
    paths.insert(1, written(tmp_path / "broken.png", b"no picture"))
    with PictureSource(paths, "faces") as source:
        assert (source.name, source.live, source.frame_rate, source.frame_count) == ("faces", False, None, 4)
        items = list(source)
    assert [item.source for item in items] == [str(path) for path in paths]
    assert [type(item) for item in items] == [Frame, Unreadable, Frame, Frame]
    assert isinstance(items[1], Unreadable)
    assert items[1].error.startswith(f"{paths[1]}: expected a picture")
    assert all((item.index, item.time_s) == (0, None) for item in items if isinstance(item, Frame))


CODECS = {".mp4": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}


def clip(path: Path, *, frames: int = 30, rate: float = 10.0) -> Path:
    """A real video in which the frame's number is a bar's length."""
    backend = cv2.CAP_OPENCV_MJPEG if path.suffix == ".avi" else cv2.CAP_FFMPEG
    codec = cv2.VideoWriter.fourcc(*CODECS[path.suffix])
    writer = cv2.VideoWriter(str(path), backend, codec, rate, (128, 96))
    assert writer.isOpened()
    for number in range(frames):
        image = np.full((96, 128, 3), 40, np.uint8)
        image[:, : 4 * number] = 220
        writer.write(image)
    writer.release()
    return path


def taken(source: Source) -> tuple[list[Frame], SourceError | None]:
    """The frames of a source up to its end or error, and the error."""
    frames: list[Frame] = []
    try:
        with source:
            for frame in source:
                assert isinstance(frame, Frame)
                frames.append(frame)
    except SourceError as error:
        return frames, error
    return frames, None


class TestVideo:
    @pytest.mark.parametrize("suffix", CODECS)
    def test_every_frame_comes_in_order_on_the_video_s_clock(self, suffix: str, tmp_path: Path) -> None:
        path = clip(tmp_path / f"clip{suffix}")
        with VideoSource(path) as source:
            assert (source.live, source.frame_rate, source.frame_count) == (False, 10.0, 30)
            frames = [frame for frame in source if isinstance(frame, Frame)]
        assert [frame.index for frame in frames] == list(range(30))
        assert [frame.time_s for frame in frames] == pytest.approx([number / 10 for number in range(30)])
        bars = [round(float((frame.image[48, :, 0] > 130).sum()) / 4) for frame in frames]
        assert bars == list(range(30))
        assert {frame.source for frame in frames} == {str(path)}
        assert {(frame.image.shape, frame.image.dtype.name) for frame in frames} == {((96, 128, 3), "uint8")}

    @pytest.mark.parametrize("rate", [5.0, 29.97, 60.0])
    def test_the_clock_follows_the_rate(self, rate: float, tmp_path: Path) -> None:
        frames, _ = taken(VideoSource(clip(tmp_path / "clip.mp4", frames=8, rate=rate)))
        expected = [number / rate for number in range(8)]
        assert [frame.time_s for frame in frames] == pytest.approx(expected, abs=2e-3)

    def test_frames_are_kept_apart(self, tmp_path: Path) -> None:
        frames, _ = taken(VideoSource(clip(tmp_path / "clip.avi", frames=3)))
        assert not np.shares_memory(frames[0].image, frames[1].image)
        assert not np.array_equal(frames[0].image, frames[2].image)

    def test_a_video_can_be_read_again(self, tmp_path: Path) -> None:
        source = VideoSource(clip(tmp_path / "clip.mp4", frames=5))
        assert [len(taken(source)[0]) for _ in range(2)] == [5, 5]

    @pytest.mark.parametrize("suffix", [".mkv", ".avi"])
    def test_a_truncated_video_gives_its_frames_and_then_says_so(self, suffix: str, tmp_path: Path) -> None:
        content = clip(tmp_path / f"whole{suffix}").read_bytes()
        frames, error = taken(VideoSource(written(tmp_path / f"part{suffix}", content[: len(content) // 2])))
        assert 1 <= len(frames) <= 20
        assert isinstance(error, SourceLostError)
        assert f"part{suffix}: expected 30 frames, the video broke off after {len(frames)}" in str(error)

    def test_less_than_a_second_may_be_missing(self, tmp_path: Path) -> None:
        content = clip(tmp_path / "whole.avi").read_bytes()
        frames, error = taken(VideoSource(written(tmp_path / "part.avi", content[: int(len(content) * 0.9)])))
        assert 20 < len(frames) < 30
        assert error is None

    def test_a_damaged_frame_in_the_middle_does_not_end_a_video(self, tmp_path: Path) -> None:
        path = clip(tmp_path / "clip.avi")
        content = bytearray(path.read_bytes())
        middle = content.index(b"\xff\xd8", len(content) // 2)
        content[middle : middle + 300] = bytes(300)
        path.write_bytes(content)
        frames, error = taken(VideoSource(path))
        assert error is None
        assert len(frames) in (29, 30)

    @pytest.mark.parametrize("suffix", CODECS)
    def test_a_video_without_frames_is_refused(self, suffix: str, tmp_path: Path) -> None:
        frames, error = taken(VideoSource(clip(tmp_path / f"none{suffix}", frames=0)))
        assert frames == []
        assert f"none{suffix}: expected a video, it " in str(error)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "clip.mp4: expected a video, the file cannot be read: No such file or directory"),
            (b"", "clip.mp4: expected a video, the file is empty"),
            (b"no video at all", "clip.mp4: expected a video, it holds none that FFmpeg can read"),
            (bytes(5000), "clip.mp4: expected a video, it holds none that FFmpeg can read"),
        ],
    )
    def test_what_is_no_video_is_refused(self, content: bytes | None, message: str, tmp_path: Path) -> None:
        path = tmp_path / "clip.mp4"
        if content is not None:
            path.write_bytes(content)
        frames, error = taken(VideoSource(path))
        assert frames == []
        assert message in str(error)

    def test_an_mp4_without_its_end_is_refused(self, tmp_path: Path) -> None:
        content = clip(tmp_path / "whole.mp4").read_bytes()
        frames, error = taken(VideoSource(written(tmp_path / "part.mp4", content[: len(content) // 2])))
        assert frames == []
        assert "part.mp4: expected a video, it holds none that FFmpeg can read, or is damaged" in str(error)

    def test_a_folder_is_refused_with_what_reads_it(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="got a folder; for its pictures use: fer-edge folder"):
            VideoSource(tmp_path).__enter__()

    @pytest.mark.parametrize("name", ["фильм.mp4", "Film – schön %d.mp4", "a 'b' 100%.mp4"])
    def test_names_of_any_script(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "フォルダ").mkdir()
        path = clip(tmp_path / "clip.mp4", frames=3).rename(tmp_path / "フォルダ" / name)
        assert len(taken(VideoSource(path))[0]) == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rtsp://camera/1", True),
        ("http://127.0.0.1:8080/stream", True),
        ("clip.mp4", False),
        ("/a/b", False),
        ("C:\\clip.mp4", False),
        ("://", False),
        ("odd name://clip.mp4", False),
    ],
)
def test_a_url_has_a_scheme(name: str, expected: bool) -> None:
    assert is_url(name) is expected


@pytest.mark.parametrize(
    ("stated", "rate"),
    [
        (25.0, 25.0),
        (29.97, 29.97),
        (0.0, None),
        (-1.0, None),
        (90_000.0, None),
        (math.nan, None),
        (math.inf, None),
    ],
)
def test_a_rate_that_cannot_be_is_none(stated: float, rate: float | None) -> None:
    assert plausible_rate(stated) == rate


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
        jpeg = encoded(".jpg", scene())
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


class TestCamera:
    def test_a_network_camera_s_pictures_come_in_order(self, network_camera: str) -> None:
        url = f"{network_camera}/1000"
        with CameraSource(url) as source:
            assert (source.name, source.live, source.frame_count) == (url, True, None)
            frames = [frame for frame, _ in zip(source, range(20), strict=False) if isinstance(frame, Frame)]
        times = [frame.time_s for frame in frames if frame.time_s is not None]
        assert [frame.index for frame in frames] == list(range(20))
        assert times[0] == 0
        assert times == sorted(times)
        assert all(np.abs(frame.image.astype(int) - scene()).mean() < 8 for frame in frames)
        assert {frame.source for frame in frames} == {url}

    def test_one_that_breaks_off_is_lost(self, network_camera: str) -> None:
        frames, error = taken(CameraSource(f"{network_camera}/20"))
        assert len(frames) == 20
        assert isinstance(error, SourceLostError)
        assert "it gave no more pictures after 20 frames" in str(error)

    def test_one_that_falls_silent_is_lost(
        self, network_camera: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(camera, "_TIMEOUT_MS", 300)
        frames, error = taken(CameraSource(f"{network_camera}/20/stall"))
        assert len(frames) >= 19
        assert isinstance(error, SourceLostError)

    @pytest.mark.parametrize("path", ["0", "nothing/here"])
    def test_an_address_without_pictures_is_refused(self, path: str, network_camera: str) -> None:
        frames, error = taken(CameraSource(f"{network_camera}/{path}"))
        assert frames == []
        assert "it cannot be opened; check the address and that the camera answers" in str(error)

    def test_an_address_that_is_silent_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(camera, "_TIMEOUT_MS", 300)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            _, error = taken(CameraSource(f"http://127.0.0.1:{silent.getsockname()[1]}/"))
        assert "it cannot be opened" in str(error)

    @pytest.mark.parametrize("scheme", ["http", "rtsp"])
    def test_an_address_that_nobody_answers_is_refused(self, scheme: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        _, error = taken(CameraSource(f"{scheme}://127.0.0.1:{port}/"))
        assert "it cannot be opened; check the address and that the camera answers" in str(error)

    @pytest.mark.skipif(sys.platform != "linux", reason="cameras are files on Linux only")
    @pytest.mark.parametrize("name", ["97", 97, "/dev/video97", "/dev/no-camera"])
    def test_a_device_that_is_not_there_is_named(self, name: str | int) -> None:
        _, error = taken(CameraSource(name))
        device = name if isinstance(name, str) and name.startswith("/") else "/dev/video97"
        assert f"camera {name}: expected {device}, it is not there; found " in str(error)

    @pytest.mark.parametrize("name", ["", "clip.mp4", "webcam", "-1", "1.5"])
    def test_what_is_no_camera_is_refused(self, name: str) -> None:
        with pytest.raises(UsageError, match=r"expected a camera .* a file is read with: fer-edge video"):
            CameraSource(name)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("rtsp://user:secret@host:554/a", "rtsp://user:***@host:554/a"),
        ("http://:secret@host/", "http://:***@host/"),
        ("http://user:se:c@ret@host/a?b=c:d@e", "http://user:***@host/a?b=c:d@e"),
        ("http://user@host/a", "http://user@host/a"),
        ("http://host:80/a:b@c", "http://host:80/a:b@c"),
        ("a:b@c.mp4", "a:b@c.mp4"),
    ],
)
def test_a_password_is_not_part_of_a_source_s_name(given: str, shown: str) -> None:
    assert without_password(given) == shown
    assert VideoSource(given).name == shown


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
