"""Annotated images: one file for one image, a folder for several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import OutputError, UsageError
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.images import WRITABLE_SUFFIXES, ImageFolderSink, ImageSink, create_sink
from fer_edge.types import SkippedInput, StreamInfo
from tests.edge.sinks.filling import fill
from tests.edge.support import make_view, names_in, noise, read_back


@pytest.mark.parametrize("suffix", sorted(WRITABLE_SUFFIXES))
def test_every_kind_is_written(suffix: str, tmp_path: Path) -> None:
    image = np.full((48, 64, 3), (10, 120, 240), np.uint8)
    path = tmp_path / f"a{suffix}"
    fill(ImageSink(path), [make_view(image=image, faces=0)])
    assert np.abs(read_back(path).astype(int) - image).max() <= 4


def test_the_annotated_image_is_written_not_the_frame(tmp_path: Path) -> None:
    view = make_view(image=noise())
    fill(ImageSink(tmp_path / "a.png"), [view])
    assert np.array_equal(read_back(tmp_path / "a.png"), view.image())
    assert not np.array_equal(view.image(), noise())


@pytest.mark.parametrize("name", ["a.pgm", "a.txt", "a", "a.mp4"])
def test_another_kind_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unsupported image format"):
        ImageSink(tmp_path / name)


def test_an_unreadable_image_is_not_written(tmp_path: Path) -> None:
    fill(ImageSink(tmp_path / "a.png"), [SkippedInput("a.jpg", "broken")])
    assert names_in(tmp_path) == []


def test_one_too_large_for_its_kind_is_an_error(tmp_path: Path) -> None:
    wide = np.zeros((1, 20_000, 3), np.uint8)
    with pytest.raises(OutputError, match=r"a\.webp: cannot encode the image"):
        fill(ImageSink(tmp_path / "a.webp"), [make_view(image=wide)])
    assert names_in(tmp_path) == []


class TestFolder:
    def test_copies_lie_as_their_originals_do(self, tmp_path: Path) -> None:
        sources = [f"in/{name}" for name in ("a.png", "b.pgm", "sub/deep/a.png")]
        sink = ImageFolderSink(tmp_path / "out" / "new", sources, root=Path("in"))
        fill(sink, [make_view(source=source) for source in sources])
        written = (tmp_path / "out/new").rglob("*.*")
        assert sorted(str(path.relative_to(tmp_path / "out/new")) for path in written) == [
            "a.png",
            "b.png",
            "sub/deep/a.png",
        ]

    def test_images_of_one_name_get_numbers(self, tmp_path: Path) -> None:
        sources = ["x/a.jpg", "y/a.jpg", "a.pgm", "a.png", "x/a.jpg"]
        images = [noise(seed=number) for number in range(4)]
        fill(
            ImageFolderSink(tmp_path, sources),
            [
                make_view(source=source, image=image, faces=0)
                for source, image in zip(sources, images, strict=False)
            ],
        )
        assert names_in(tmp_path) == ["a-2.jpg", "a-2.png", "a.jpg", "a.png"]
        assert np.array_equal(read_back(tmp_path / "a.png"), images[3])
        assert np.array_equal(read_back(tmp_path / "a-2.png"), images[2])

    def test_one_that_is_there_is_refused_before_any_is_written(self, tmp_path: Path) -> None:
        (tmp_path / "b.png").write_text("mine")
        with pytest.raises(OutputError, match=r"b\.png: already exists"):
            ImageFolderSink(tmp_path, ["a.png", "b.png"])
        fill(
            ImageFolderSink(tmp_path, ["a.png", "b.png"], overwrite=True),
            [make_view(source="b.png", faces=0)],
        )
        assert names_in(tmp_path) == ["b.png"]
        assert np.array_equal(read_back(tmp_path / "b.png"), noise())

    def test_the_folder_is_made_with_the_first_read_back(self, tmp_path: Path) -> None:
        fill(ImageFolderSink(tmp_path / "out", ["a.png"]), [SkippedInput("a.png", "broken")])
        assert names_in(tmp_path) == []

    def test_a_file_in_the_folder_s_place_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        with pytest.raises(OutputError, match="out: is a file, not a folder; choose another name"):
            ImageFolderSink(tmp_path / "out", ["a.png"])

    def test_what_is_not_permitted_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.access", lambda path, mode: False)
        with pytest.raises(OutputError, match="out: cannot write: permission denied"):
            ImageFolderSink(tmp_path / "out", ["a.png"])


class TestChoice:
    """The choice between a file and a folder for ``--output``."""

    @staticmethod
    def made(target: Path, *inputs: str, root: Path | None = None) -> type:
        stream = StreamInfo(name="images", still=True)
        return type(create_sink(SinkRequest(target=str(target), stream=stream, inputs=inputs, root=root)))

    def test_one_image_goes_into_a_file(self, tmp_path: Path) -> None:
        assert self.made(tmp_path / "out.png", "a.jpg") is ImageSink

    def test_one_image_goes_into_a_folder_where_that_is_named(self, tmp_path: Path) -> None:
        assert self.made(tmp_path, "a.jpg") is ImageFolderSink
        assert self.made(tmp_path / "out", "a.jpg") is ImageFolderSink

    def test_several_go_into_a_folder(self, tmp_path: Path) -> None:
        assert self.made(tmp_path / "out", "a.jpg", "b.jpg") is ImageFolderSink
        with pytest.raises(UsageError, match="cannot write 2 annotated images to one file"):
            self.made(tmp_path / "out.png", "a.jpg", "b.jpg")

    def test_a_folder_s_images_go_into_a_folder_whatever_its_name(self, tmp_path: Path) -> None:
        assert self.made(tmp_path / "out.png", "in/a.jpg", root=Path("in")) is ImageFolderSink
