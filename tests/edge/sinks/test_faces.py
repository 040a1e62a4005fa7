"""Images of faces: which ones, how often, and their names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fer_edge.errors import OutputError
from fer_edge.rendering.view import View
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.faces import FacesSink
from fer_edge.sinks.registry import create_faces_sink
from fer_edge.types import FaceBox, Frame, FrameResult, SkippedInput, StreamInfo
from tests.edge.sinks.filling import full_disk
from tests.edge.support import make_face, names_in, noise, read_back


def view(
    time_s: float | None, *numbers: int, source: str = "a/clip.mp4", clock: datetime | None = None
) -> View:
    faces = tuple(make_face(FaceBox(20, 20, 20, 20), number=number) for number in numbers)
    return View(FrameResult(Frame(noise(), source, 0, time_s, clock=clock), faces))


def request(folder: Path, *, append: bool = False, overwrite: bool = False) -> SinkRequest:
    return SinkRequest(target=str(folder), stream=StreamInfo(name="0"), append=append, overwrite=overwrite)


def test_each_face_once_a_second(tmp_path: Path) -> None:
    sink = FacesSink(tmp_path / "faces")
    for time_s, numbers in ((0.0, (0,)), (0.5, (0, 1)), (0.9, (0,)), (1.0, (0, 1)), (1.6, (1,)), (2.0, ())):
        sink.write(view(time_s, *numbers))
    assert names_in(tmp_path / "faces") == [
        "clip-00000.000s-face0-happy.jpg",
        "clip-00000.500s-face1-happy.jpg",
        "clip-00001.000s-face0-happy.jpg",
        "clip-00001.600s-face1-happy.jpg",
    ]


def test_live_ones_are_named_by_the_wall_clock(tmp_path: Path) -> None:
    clock = datetime(2026, 11, 26, 10, 15, 0, 123456, UTC)
    sink = FacesSink(tmp_path)
    sink.write(view(0.0, 7, source="rtsp://cam.local:554/live?ch=1", clock=clock))
    assert names_in(tmp_path) == ["live-20261126T101500.123-face7-happy.jpg"]


def test_a_head_is_cut_out_with_hair_and_chin(tmp_path: Path) -> None:
    FacesSink(tmp_path).write(view(0.0, 0))
    height, width = read_back(tmp_path / names_in(tmp_path)[0]).shape[:2]
    assert 30 <= width <= 36
    assert 34 <= height <= 40


def test_images_of_one_name_get_numbers(tmp_path: Path) -> None:
    sink = FacesSink(tmp_path)
    for folder in "ab":
        sink.write(view(None, 0, source=f"{folder}/me.png"))
    sink.write(SkippedInput("c.jpg", "broken"))
    assert names_in(tmp_path) == ["me-face0-happy-2.jpg", "me-face0-happy.jpg"]


def test_names_stay_within_the_folder(tmp_path: Path) -> None:
    sink = FacesSink(tmp_path / "faces")
    for source in ("../../x", "..", "/", "a\nb/\x00\x1b[2J", "clip\udcff.mp4", "x" * 400 + ".mp4"):
        sink.write(view(None, 0, source=source))
    names = names_in(tmp_path / "faces")
    assert len(names) == 6
    assert all(name.isprintable() and "/" not in name and len(name) < 150 for name in names)
    assert names_in(tmp_path) == ["faces"]


def test_a_folder_that_holds_files_is_only_added_to_when_asked(tmp_path: Path) -> None:
    (tmp_path / "old.jpg").write_bytes(b"kept")
    with pytest.raises(OutputError, match="--append"):
        create_faces_sink(request(tmp_path))
    for asked in (request(tmp_path, append=True), request(tmp_path, overwrite=True)):
        create_faces_sink(asked).write(view(0.0, 0))
    assert (tmp_path / "old.jpg").read_bytes() == b"kept"
    assert len(names_in(tmp_path)) == 3


def test_hidden_faces_cannot_be_cut_out() -> None:
    face = make_face(FaceBox(20, 20, 20, 20))
    hidden = View(FrameResult(Frame(noise()), (face,)), hidden=("blur", ()))
    with pytest.raises(ValueError, match="hidden"):
        hidden.crop_face(face)


def test_a_camera_goes_on_where_the_disk_is_full(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sink = FacesSink(tmp_path / "faces", live=True)
    sink.write(view(0.0, 1, source="0"))
    with full_disk(100):
        sink.write(view(1.0, 1, 2, source="0"))
        sink.write(view(2.0, 1, source="0"))
    assert len(caplog.messages) == 1
    assert "the camera continues" in caplog.text
    sink.write(view(3.0, 1, source="0"))
    assert caplog.messages[1:] == [f"{tmp_path / 'faces'}: saving faces again; 3 missing"]
    sink.close()
    assert len(names_in(tmp_path / "faces")) == 2


def test_a_disk_that_stays_full_is_an_error_at_the_end(tmp_path: Path) -> None:
    sink = FacesSink(tmp_path, live=True)
    with full_disk(100):
        sink.write(view(0.0, 1))
    with pytest.raises(OutputError, match="1 face not written"):
        sink.close()
    with full_disk(100), pytest.raises(OutputError):
        FacesSink(tmp_path).write(view(0.0, 1))
    assert names_in(tmp_path) == []


def test_a_folder_that_becomes_a_file_ends_no_camera(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = FacesSink(tmp_path / "faces", live=True)
    (tmp_path / "faces").write_text("x")
    sink.write(view(0.0, 1))
    assert "the camera continues" in caplog.text
