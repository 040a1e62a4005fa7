"""Sources by name, and by path, URL or number."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import UsageError
from fer_edge.sources.images import ImageSource
from fer_edge.sources.reconnecting import ReconnectingSource
from fer_edge.sources.registry import SOURCES, create_source, create_source_for
from fer_edge.sources.video import VideoSource


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (0, ReconnectingSource),
        ("/dev/video2", ReconnectingSource),
        ("rtsp://host/stream", ReconnectingSource),
        ("rtsps://host/stream", ReconnectingSource),
        ("picamera", ReconnectingSource),
        ("picamera:1", ReconnectingSource),
        ("http://host/clip.jpg", VideoSource),
        ("clip.mp4", VideoSource),
        ("clip", VideoSource),
        ("face.JPG", ImageSource),
        (Path("face.webp"), ImageSource),
    ],
)
def test_a_source_is_known_by_its_name(source: str | Path | int, kind: type) -> None:
    made = create_source_for(source)
    assert type(made) is kind
    assert made.info.name == str(source)
    assert made.info.live is (kind is ReconnectingSource)
    assert made.info.still is (kind is ImageSource)


def test_a_folder_is_its_images(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))
    made = create_source_for(tmp_path)
    assert isinstance(made, ImageSource)
    assert (made.info.name, made.info.frame_count) == (str(tmp_path), 1)


def test_no_name_is_no_source() -> None:
    with pytest.raises(UsageError, match="no source given"):
        create_source_for("")


@pytest.mark.parametrize(
    ("name", "addresses", "kind"),
    [
        ("camera", ["0"], ReconnectingSource),
        ("camera", ["picamera"], ReconnectingSource),
        ("camera", ["picamera:1"], ReconnectingSource),
        ("images", ["a.jpg", "b.jpg"], ImageSource),
        ("video", ["clip.mp4"], VideoSource),
        ("video", ["http://host/clip"], VideoSource),  # a scheme that names no source
    ],
)
def test_a_source_is_made_by_its_name(name: str, addresses: list[str], kind: type) -> None:
    assert type(create_source(name, *addresses)) is kind


def test_the_first_address_s_scheme_names_the_source() -> None:
    assert type(create_source("video", "camera:0".removeprefix("camera:"))) is VideoSource
    with pytest.raises(UsageError, match="is not a camera address"):
        create_source("video", "camera:0")  # the whole address goes to the source that its scheme names


def test_a_file_of_that_name_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "camera:0").touch()
    assert type(create_source("video", "camera:0")) is VideoSource


def test_an_unknown_source_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"unknown source 'fax'; choose one of: camera, images, video"):
        create_source("fax", "1")
    assert SOURCES.names[:3] == ("camera", "images", "video")
