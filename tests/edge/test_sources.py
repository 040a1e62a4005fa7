"""Pictures, videos and cameras as they are met with, whole and damaged."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import SourceError
from fer_edge.results import Frame, Unreadable
from fer_edge.sources.pictures import PICTURE_SUFFIXES, PictureSource, find_pictures, read_picture

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

    @pytest.mark.parametrize(
        "name", ["missing.jpg", ".", "no\0name.jpg", "x" * 300 + ".jpg", "missing/a.jpg"]
    )
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
            ("empty", "expected pictures .* found none; --recursive looks into its subfolders"),
        ],
    )
    def test_a_folder_without_pictures_is_refused(self, name: str, message: str, folder: Path) -> None:
        (folder.parent / "empty").mkdir()
        with pytest.raises(SourceError, match=message):
            find_pictures(folder.parent / name)

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
