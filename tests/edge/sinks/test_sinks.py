"""Results in files: complete, never over something else, never half."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import OutputError, UsageError
from fer_edge.sinks.base import Sink
from fer_edge.sinks.images import WRITTEN_SUFFIXES, PictureFolderSink, PictureSink
from fer_edge.sinks.rows import CsvSink, JsonLinesSink, rows_sink
from fer_edge.sinks.video import VideoSink
from fer_edge.types import EmotionScores, FaceBox, FaceResult, Frame, FrameResult, Unreadable

LABELS = ("sad", "happy")


def noise(width: int = 64, height: int = 48, seed: int = 0) -> NDArray[np.uint8]:
    """A picture that cannot be compressed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def result(
    index: int = 0,
    *,
    faces: int = 1,
    source: str = "clip.mp4",
    time_s: float | None = None,
    image: NDArray[np.uint8] | None = None,
) -> FrameResult:
    frame = Frame(noise() if image is None else image, source, index, time_s)
    found = [
        FaceResult(number, FaceBox(number, 2, 30, 40), EmotionScores(LABELS, (0.25, 0.75)), "happy")
        for number in range(faces)
    ]
    return FrameResult(frame, tuple(found))


def fill(sink: Sink, results: list[FrameResult | Unreadable]) -> None:
    """Write results, each annotated with its own picture."""
    with sink:
        for item in results:
            sink.write(item, lambda item=item: item.frame.image)  # type: ignore[misc]


def never_drawn() -> NDArray[np.uint8]:
    raise AssertionError("nobody needs the picture")


def picture(path: Path) -> NDArray[np.uint8]:
    read = cv2.imread(str(path))
    assert read is not None
    return np.asarray(read, np.uint8)


def names(folder: Path) -> list[str]:
    """Every file of a folder, hidden ones included."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file can grow beyond 20,000 bytes, as if the disk were full."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


SINKS: dict[str, Callable[[Path, bool], Sink]] = {
    "a.jsonl": lambda path, overwrite: rows_sink(str(path), LABELS, overwrite=overwrite),
    "a.csv": lambda path, overwrite: rows_sink(str(path), LABELS, overwrite=overwrite),
    "a.png": lambda path, overwrite: PictureSink(path, overwrite=overwrite),
    "a.mp4": lambda path, overwrite: VideoSink(path, frame_rate=10, overwrite=overwrite),
    "a.avi": lambda path, overwrite: VideoSink(path, frame_rate=10, overwrite=overwrite),
}


@pytest.mark.parametrize("name", SINKS)
class TestEveryFile:
    def test_one_that_is_there_is_refused_and_kept(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputError, match=f"{name}: it is already there; replace it with --overwrite"):
            SINKS[name](tmp_path / name, False)
        assert (tmp_path / name).read_text() == "mine"

    def test_one_that_is_there_is_replaced_where_that_is_wanted(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text("mine")
        fill(SINKS[name](tmp_path / name, True), [result(0), result(1)])
        assert (tmp_path / name).read_bytes()[:4] != b"mine"
        assert names(tmp_path) == [name]

    def test_nothing_is_touched_before_the_first_result(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text("mine")
        fill(SINKS[name](tmp_path / name, True), [])
        assert (tmp_path / name).read_text() == "mine"
        fill(SINKS[name](tmp_path / f"new-{name}", False), [])
        assert names(tmp_path) == [name]

    def test_a_missing_folder_is_refused(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match=f"{name}: its folder .* is not there; make it first"):
            SINKS[name](tmp_path / "missing" / name, False)

    def test_a_folder_of_that_name_is_refused(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).mkdir()
        with pytest.raises(OutputError, match=f"{name}: expected the name of a file, it is a folder"):
            SINKS[name](tmp_path / name, True)

    def test_what_is_not_permitted_is_refused(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # An administrator may write everywhere: the answer of the system is given instead.
        monkeypatch.setattr("os.access", lambda path, mode: False)
        with pytest.raises(OutputError, match=f"{name}: it cannot be written, permission is denied"):
            SINKS[name](tmp_path / name, False)

    def test_a_folder_that_vanishes_is_an_error(self, name: str, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        sink = SINKS[name](folder / name, False)
        folder.rmdir()
        with pytest.raises(OutputError, match=name):
            fill(sink, [result(0)])

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device is Linux's")
    def test_a_full_device_is_an_error(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).symlink_to("/dev/full")
        with pytest.raises(OutputError, match=f"{name}: "):
            fill(SINKS[name](tmp_path / name, True), [result(number) for number in range(5)])
        assert Path("/dev/full").is_char_device()

    @pytest.mark.usefixtures("small_disk")
    def test_a_full_disk_is_an_error_and_what_arrived_is_whole(self, name: str, tmp_path: Path) -> None:
        image = noise(320, 240)
        results = [result(number, faces=40, image=image) for number in range(60)]
        with pytest.raises(OutputError, match=f"{name}: "):
            fill(SINKS[name](tmp_path / name, False), [*results])
        # Of a picture or video nothing may be left; rows are good up to the one that did not fit.
        assert names(tmp_path) in ([], [name])
        if name == "a.jsonl":
            written = (tmp_path / name).read_text()
            assert written.endswith("\n")
            lines = written.splitlines()
            assert [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))
        elif name == "a.csv":
            assert (tmp_path / name).read_text().endswith("\n")

    def test_names_of_any_script(self, name: str, tmp_path: Path) -> None:
        path = tmp_path / "フォルダ" / f"Gesicht – schön 100%d {name}"
        path.parent.mkdir()
        fill(SINKS[name](path, False), [result(0)])
        assert names(path.parent) == [path.name]

    def test_a_link_stays_a_link(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "far").mkdir()
        (tmp_path / "far" / name).write_text("mine")
        (tmp_path / name).symlink_to(tmp_path / "far" / name)
        fill(SINKS[name](tmp_path / name, True), [result(0)])
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "far" / name).read_bytes()[:4] != b"mine"
        assert names(tmp_path / "far") == [name]


class TestRows:
    def test_json_lines_has_a_row_for_each_frame(self, tmp_path: Path) -> None:
        path = tmp_path / "r.jsonl"
        results: list[FrameResult | Unreadable] = [
            result(0, time_s=0.0),
            result(1, faces=0, time_s=0.04),
            Unreadable("b.jpg", "b.jpg: broken"),
        ]
        fill(JsonLinesSink(path), results)
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        assert rows[0]["faces"][0]["scores"] == {"sad": 0.25, "happy": 0.75}
        assert rows[1:] == [
            {"source": "clip.mp4", "frame": 1, "time_s": 0.04, "faces": []},
            {"source": "b.jpg", "error": "b.jpg: broken"},
        ]

    def test_csv_has_a_row_for_each_face_and_one_for_none(self, tmp_path: Path) -> None:
        path = tmp_path / "r.csv"
        results: list[FrameResult | Unreadable] = [
            result(0, faces=2, time_s=0.5),
            Unreadable("b.jpg", "broken"),
            result(1, faces=0),
        ]
        fill(CsvSink(path, LABELS), results)
        assert path.read_text().splitlines() == [
            "source,frame,time_s,face_id,x,y,width,height,confidence,emotion,score,sad,happy",
            "clip.mp4,0,0.5,0,0,2,30,40,,happy,0.75,0.25,0.75",
            "clip.mp4,0,0.5,1,1,2,30,40,,happy,0.75,0.25,0.75",
            "clip.mp4,1,,,,,,,,,,,",
        ]

    @pytest.mark.parametrize("suffix", ["jsonl", "csv"])
    @pytest.mark.parametrize("source", ['a "quoted", b.jpg', "zeile\numbruch.jpg", "лицо.jpg", "tab\t.jpg"])
    def test_any_source_s_name_is_read_back(self, suffix: str, source: str, tmp_path: Path) -> None:
        path = tmp_path / f"r.{suffix}"
        fill(rows_sink(str(path), LABELS), [result(source=source)])
        with path.open(encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = (
                list(csv.DictReader(file)) if suffix == "csv" else [json.loads(line) for line in file]
            )
        assert [row["source"] for row in rows] == [source]

    @pytest.mark.parametrize("suffix", ["jsonl", "csv"])
    def test_a_name_that_is_no_text_does_not_end_the_run(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"r.{suffix}"
        fill(rows_sink(str(path), LABELS), [result(source="bild\udcff.png")])
        assert "bild\\udcff.png" in path.read_text("utf-8")

    @pytest.mark.parametrize("suffix", ["jsonl", "csv"])
    def test_each_row_is_on_its_way_at_once(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"r.{suffix}"
        with rows_sink(str(path), LABELS) as sink:
            for number in range(3):
                sink.write(result(number), never_drawn)
                assert len(path.read_text().splitlines()) == number + 1 + (suffix == "csv")

    @pytest.mark.parametrize("suffix", ["jsonl", "csv"])
    def test_rows_before_an_error_are_kept(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"r.{suffix}"
        interrupted = rows_sink(str(path), LABELS)
        with suppress(KeyboardInterrupt), interrupted:
            interrupted.write(result(0), never_drawn)
            raise KeyboardInterrupt
        assert len(path.read_text().splitlines()) == 1 + (suffix == "csv")

    def test_a_dash_is_standard_output(self, capsys: pytest.CaptureFixture[str]) -> None:
        fill(rows_sink("-", LABELS), [result(7, faces=0)])
        sys.stdout.write("still open\n")
        first, second = capsys.readouterr().out.splitlines()
        assert json.loads(first)["frame"] == 7
        assert second == "still open"

    @pytest.mark.parametrize("target", ["r.json", "r", "r.txt", "jsonl", ""])
    def test_another_suffix_is_refused(self, target: str) -> None:
        with pytest.raises(UsageError, match=r"expected results in a \.jsonl or \.csv file, or -"):
            rows_sink(target, LABELS)

    def test_suffixes_may_be_in_capitals(self, tmp_path: Path) -> None:
        assert isinstance(rows_sink(str(tmp_path / "R.CSV"), LABELS), CsvSink)
        assert isinstance(rows_sink(str(tmp_path / "R.JSONL"), LABELS), JsonLinesSink)


class TestPictures:
    @pytest.mark.parametrize("suffix", sorted(WRITTEN_SUFFIXES))
    def test_every_kind_is_written(self, suffix: str, tmp_path: Path) -> None:
        image = np.full((48, 64, 3), (10, 120, 240), np.uint8)
        path = tmp_path / f"a{suffix}"
        fill(PictureSink(path), [result(image=image)])
        assert np.abs(picture(path).astype(int) - image).max() <= 4

    def test_the_annotated_picture_is_written_not_the_frame(self, tmp_path: Path) -> None:
        with PictureSink(tmp_path / "a.png") as sink:
            sink.write(result(), lambda: noise(seed=1))
        assert np.array_equal(picture(tmp_path / "a.png"), noise(seed=1))

    @pytest.mark.parametrize("name", ["a.pgm", "a.txt", "a", "a.mp4"])
    def test_another_kind_is_refused(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="expected a picture to write to"):
            PictureSink(tmp_path / name)

    def test_a_picture_that_was_not_read_is_not_written(self, tmp_path: Path) -> None:
        fill(PictureSink(tmp_path / "a.png"), [Unreadable("a.jpg", "broken")])
        assert names(tmp_path) == []

    def test_one_too_large_for_its_kind_is_an_error(self, tmp_path: Path) -> None:
        wide = np.zeros((1, 20_000, 3), np.uint8)
        with pytest.raises(OutputError, match=r"a\.webp: the picture cannot be encoded"):
            fill(PictureSink(tmp_path / "a.webp"), [result(image=wide)])
        assert names(tmp_path) == []


class TestPictureFolder:
    def test_copies_lie_as_their_originals_do(self, tmp_path: Path) -> None:
        sources = [f"in/{name}" for name in ("a.png", "b.pgm", "sub/deep/a.png")]
        sink = PictureFolderSink(tmp_path / "out" / "new", sources, root=Path("in"))
        fill(sink, [result(source=source) for source in sources])
        written = (tmp_path / "out/new").rglob("*.*")
        assert sorted(str(path.relative_to(tmp_path / "out/new")) for path in written) == [
            "a.png",
            "b.png",
            "sub/deep/a.png",
        ]

    def test_pictures_of_one_name_get_numbers(self, tmp_path: Path) -> None:
        sources = ["x/a.jpg", "y/a.jpg", "a.png", "a.pgm", "x/a.jpg"]
        images = [noise(seed=number) for number in range(4)]
        fill(
            PictureFolderSink(tmp_path, sources),
            [result(source=source, image=image) for source, image in zip(sources, images, strict=False)],
        )
        assert names(tmp_path) == ["a-2.jpg", "a-2.png", "a.jpg", "a.png"]
        assert np.array_equal(picture(tmp_path / "a.png"), images[2])
        assert np.array_equal(picture(tmp_path / "a-2.png"), images[3])

    def test_one_that_is_there_is_refused_before_any_is_written(self, tmp_path: Path) -> None:
        (tmp_path / "b.png").write_text("mine")
        with pytest.raises(OutputError, match=r"b\.png: it is already there"):
            PictureFolderSink(tmp_path, ["a.png", "b.png"])
        fill(PictureFolderSink(tmp_path, ["a.png", "b.png"], overwrite=True), [result(source="b.png")])
        assert names(tmp_path) == ["b.png"]
        assert np.array_equal(picture(tmp_path / "b.png"), noise())

    def test_the_folder_is_made_with_the_first_picture(self, tmp_path: Path) -> None:
        fill(PictureFolderSink(tmp_path / "out", ["a.png"]), [Unreadable("a.png", "broken")])
        assert names(tmp_path) == []

    def test_a_file_in_the_folder_s_place_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        with pytest.raises(OutputError, match="out: expected a folder, it is a file; name another"):
            PictureFolderSink(tmp_path / "out", ["a.png"])

    def test_what_is_not_permitted_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.access", lambda path, mode: False)
        with pytest.raises(OutputError, match="out: it cannot be written, permission is denied"):
            PictureFolderSink(tmp_path / "out", ["a.png"])


def frames_of(path: Path) -> tuple[list[NDArray[np.uint8]], float]:
    """The frames of a video that was written, and its rate."""
    capture = cv2.VideoCapture(str(path))
    rate = capture.get(cv2.CAP_PROP_FPS)
    frames = []
    while (read := capture.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    capture.release()
    return frames, rate


def grey(value: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, np.uint8)


class TestVideo:
    @pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".avi", ".MP4"])
    def test_every_frame_is_written_in_order_at_the_source_s_rate(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"a{suffix}"
        fill(VideoSink(path, frame_rate=12.5), [result(n, image=grey(10 * n)) for n in range(20)])
        frames, rate = frames_of(path)
        assert rate == pytest.approx(12.5)
        assert [round(float(frame.mean()) / 10) for frame in frames] == list(range(20))
        assert frames[0].shape == (48, 64, 3)

    @pytest.mark.parametrize(
        ("live", "stated", "rate"),
        [
            (False, 30.0, 30.0),
            (False, None, 25.0),
            (False, 600.0, 25.0),
            (True, None, 15.0),
            (True, 30.0, 30.0),
        ],
    )
    def test_the_rate_where_the_source_has_none_that_will_do(
        self, live: bool, stated: float | None, rate: float, tmp_path: Path
    ) -> None:
        sink = VideoSink(tmp_path / "a.mp4", live=live)
        sink.set_frame_rate(stated)
        fill(sink, [result(0), result(1)])
        assert frames_of(tmp_path / "a.mp4")[1] == pytest.approx(rate)

    @pytest.mark.parametrize("size", [(7, 5), (641, 481), (2, 2), (320, 2)])
    def test_pictures_of_odd_sizes_are_written(self, size: tuple[int, int], tmp_path: Path) -> None:
        fill(VideoSink(tmp_path / "a.mp4"), [result(n, image=grey(9, *size)) for n in range(3)])
        assert len(frames_of(tmp_path / "a.mp4")[0]) == 3

    def test_a_size_that_cannot_be_written_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(
            OutputError, match=r"a\.mp4: OpenCV cannot write a video of 1×1 pixels there; try"
        ):
            fill(VideoSink(tmp_path / "a.mp4"), [result(image=grey(9, 1, 1))])
        assert names(tmp_path) == []

    def test_a_frame_of_another_size_is_scaled_to_the_first(self, tmp_path: Path) -> None:
        images = [grey(10), grey(50, 128, 96), grey(90, 30, 90)]
        fill(VideoSink(tmp_path / "a.avi"), [result(n, image=image) for n, image in enumerate(images)])
        frames, _ = frames_of(tmp_path / "a.avi")
        assert [frame.shape for frame in frames] == [(48, 64, 3)] * 3
        assert [float(frame.mean()) for frame in frames] == pytest.approx([10, 50, 90], abs=2)

    @pytest.mark.parametrize(
        ("times", "written"),
        [
            # At 10 a second: even, too many, a gap that is filled, and one too long to be.
            ([n / 10 for n in range(20)], 20),
            ([n / 30 for n in range(60)], 20),
            ([0.0, 0.1, 1.0, 1.1], 12),
            ([0.0, 100.0], 51),
        ],
        ids=["even", "too many", "gap", "long pause"],
    )
    def test_a_live_video_keeps_time(self, times: list[float], written: int, tmp_path: Path) -> None:
        sink = VideoSink(tmp_path / "a.avi", frame_rate=10.0, live=True)
        fill(sink, [result(n, time_s=time_s) for n, time_s in enumerate(times)])
        assert len(frames_of(tmp_path / "a.avi")[0]) == pytest.approx(written, abs=1)

    def test_a_video_that_is_no_live_one_keeps_every_frame(self, tmp_path: Path) -> None:
        fill(VideoSink(tmp_path / "a.avi", frame_rate=10.0), [result(n, time_s=n / 300) for n in range(30)])
        assert len(frames_of(tmp_path / "a.avi")[0]) == 30

    def test_what_was_written_before_an_error_is_kept(self, tmp_path: Path) -> None:
        sink = VideoSink(tmp_path / "a.mp4")
        with suppress(KeyboardInterrupt), sink:
            for number in range(5):
                sink.write(result(number), noise)
            assert names(tmp_path) != ["a.mp4"]
            raise KeyboardInterrupt
        assert names(tmp_path) == ["a.mp4"]
        assert len(frames_of(tmp_path / "a.mp4")[0]) == 5

    @pytest.mark.parametrize("name", ["a.webm", "a.jpg", "a", "a.gif"])
    def test_another_suffix_is_refused(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"expected a video to write to \(\.mp4"):
            VideoSink(tmp_path / name)
