"""Images by path, and folders of images."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from fer_edge.errors import SourceError, describe_error
from fer_edge.sources.image_io import read_image
from fer_edge.sources.images import ImageSource, find_images, is_image_path, search_images
from fer_edge.types import Frame, SkippedInput
from tests.edge.support import corners, encode, write_bytes


class TestFindImages:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name in ("b.png", "a.JPG", "c.txt", ".hidden.png", "sub/d.webp", "sub/deep/e.tiff", ".git/f.png"):
            write_bytes(tmp_path / "faces" / name, b"x")
        return tmp_path / "faces"

    @pytest.mark.parametrize(
        ("recursive", "names"),
        [(False, ["a.JPG", "b.png"]), (True, ["a.JPG", "b.png", "sub/d.webp", "sub/deep/e.tiff"])],
    )
    def test_images_are_found_by_their_suffix_in_order(
        self, recursive: bool, names: list[str], folder: Path
    ) -> None:
        assert find_images(folder, recursive=recursive) == [folder / name for name in names]

    def test_paths_begin_as_the_folder_was_given(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder.parent)
        assert find_images("faces")[0] == Path("faces/a.JPG")

    def test_links_to_files_are_followed_and_links_to_folders_are_not(self, folder: Path) -> None:
        (folder / "z.png").symlink_to(folder / "b.png")
        (folder / "loop").symlink_to(folder, target_is_directory=True)
        (folder / "gone.png").symlink_to(folder / "nothing")
        found = [path.name for path in find_images(folder, recursive=True)]
        assert found == ["a.JPG", "b.png", "d.webp", "e.tiff", "z.png"]

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("missing", "missing: folder does not exist"),
            ("faces/b.png", "not a folder; for a file, use: fer-edge image"),
            ("empty", "no images in this folder; .*; to search its subfolders, use: .* --recursive"),
        ],
    )
    def test_a_folder_without_images_is_refused(self, name: str, message: str, folder: Path) -> None:
        (folder.parent / "empty").mkdir()
        with pytest.raises(SourceError) as raised:
            find_images(folder.parent / name)
        assert re.search(message, describe_error(raised.value))

    def test_a_folder_below_that_may_not_be_read_is_named_when_it_is_read(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed = folder / "c"
        closed.mkdir(exist_ok=True)
        scandir = os.scandir

        def refusing(path: Any) -> Any:  # as for users other than root
            if Path(path) == closed:
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refusing)
        found = find_images(folder, recursive=True)
        assert closed in found
        assert folder / "b.png" in found
        with pytest.raises(SourceError, match="c: cannot read folder"):
            read_image(closed)

    def test_the_hint_is_left_out_where_it_was_take_frames(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"no images in this folder; images are files named \.[^;]*$"):
            find_images(tmp_path, recursive=True)

    def test_the_folder_that_is_left_out(self, folder: Path) -> None:
        found = find_images(folder, recursive=True, exclude=folder / "sub")
        assert found == [folder / name for name in ("a.JPG", "b.png")]


class TestLeftOut:
    def test_other_files_are_counted_by_their_suffix(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "pi_heif", None)
        for name in ("a.png", "b.HEIC", "c.heic", "d.txt", "sub/e.raw", "README", ".hidden", "Thumbs.db"):
            write_bytes(tmp_path / name, b"x")
        write_bytes(tmp_path / "__MACOSX/a.png", b"x")
        found = search_images(tmp_path)
        assert found.paths == [tmp_path / "a.png"]
        assert found.left_out == {".heic": 2, ".txt": 1, "": 1}
        line = found.describe_left_out()
        assert line is not None
        assert line.startswith("4 files skipped (2 .heic, 1 without a suffix, 1 .txt); to read HEIC: pip")
        assert search_images(tmp_path, recursive=True).left_out[".raw"] == 1

    def test_a_folder_of_only_images_has_no_notes(self, tmp_path: Path) -> None:
        write_bytes(tmp_path / "a.png", b"x")
        assert search_images(tmp_path).describe_left_out() is None

    def test_many_kinds_are_summed_up(self, tmp_path: Path) -> None:
        for name in ["a.png", *(f"b.{letter}x" for letter in "abcdefgh")]:
            write_bytes(tmp_path / name, b"x")
        line = search_images(tmp_path).describe_left_out()
        assert line == "8 files skipped (1 .ax, 1 .bx, 1 .cx, 1 .dx, 1 .ex, 1 .fx, 2 others)"

    def test_a_folder_without_images_says_what_it_contains(self, tmp_path: Path) -> None:
        write_bytes(tmp_path / "a.mp4", b"x")
        with pytest.raises(SourceError, match=r"no images.*, 1 file skipped \(1 \.mp4\)"):
            search_images(tmp_path)

    @pytest.mark.parametrize("name", ["a\0b", "x" * 300, "\ud800"])
    def test_odd_names_are_source_errors(self, name: str) -> None:
        with pytest.raises(SourceError):
            search_images(name)


def test_images_come_in_order_and_an_unreadable_one_does_not_end_them(tmp_path: Path) -> None:
    paths = [write_bytes(tmp_path / name, encode(".png", corners())) for name in ("b.png", "a.png", "c.png")]
    paths.insert(1, write_bytes(tmp_path / "broken.png", b"not an image"))
    with ImageSource(paths, "faces") as source:
        info = source.info
        assert (info.name, info.live, info.still) == ("faces", False, True)
        assert (info.frame_rate, info.frame_count) == (None, 4)
        items = list(source)
    assert [item.source for item in items] == [str(path) for path in paths]
    assert [type(item) for item in items] == [Frame, SkippedInput, Frame, Frame]
    assert isinstance(items[1], SkippedInput)
    assert items[1].error.startswith(f"{paths[1]}: cannot read image")
    assert all((item.index, item.time_s) == (0, None) for item in items if isinstance(item, Frame))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.jpg", True), ("B.WEBP", True), ("clip.mp4", False), ("a", False), ("http://host/a.jpg", False)],
)
def test_an_image_is_known_by_its_suffix(name: str, expected: bool) -> None:
    assert is_image_path(name) is expected
