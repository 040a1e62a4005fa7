"""A view exposes everything in a result except its raw pixels; images leave it only after drawing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from fer_edge.rendering import view as rendering
from fer_edge.rendering.annotate import annotate
from fer_edge.rendering.view import View
from fer_edge.types import Frame, FrameResult, Image
from tests.edge.support import make_result, noise


def reachable(thing: Any, depth: int = 6) -> list[Any]:
    """Return every object reachable through public attributes."""
    if depth == 0 or isinstance(thing, str | int | float | type(None)):
        return [thing]
    if isinstance(thing, tuple | list):
        inner = list(thing)
    elif isinstance(thing, dict):
        inner = list(thing.values())
    elif dataclasses.is_dataclass(thing) or isinstance(thing, View | Frame):
        names = [name for name in dir(thing) if not name.startswith("_")]
        inner = [value for name in names if not callable(value := getattr(thing, name))]
    else:
        inner = []
    return [thing, *(found for value in inner for found in reachable(value, depth - 1))]


def test_a_view_says_what_the_result_says() -> None:
    result = make_result(7, faces=2, source="a.mp4", time_s=0.28)
    view = View(result)
    assert (view.source, view.index, view.time_s, view.size) == ("a.mp4", 7, 0.28, (64, 48))
    assert view.faces == result.faces
    assert view.as_record() == result.as_record()


def test_nothing_that_a_view_offers_leads_to_pixels() -> None:
    result = make_result()
    assert any(isinstance(thing, np.ndarray) for thing in reachable(result))
    found = reachable(View(result))
    assert not any(isinstance(thing, np.ndarray | Frame | FrameResult) for thing in found)


def test_an_image_is_the_only_thing_a_view_makes() -> None:
    offered = {name for name in dir(View) if not name.startswith("_")}
    assert offered == {
        "as_record",
        "clock",
        "crop_face",
        "draw_s",
        "faces",
        "image",
        "index",
        "size",
        "source",
        "time_s",
        "with_faces",
        "without_pixels",
    }


def test_a_view_without_pixels_has_none_to_show() -> None:
    bare = View(make_result(7, faces=2)).without_pixels()
    assert bare.as_record() == make_result(7, faces=2).as_record()
    with pytest.raises(ValueError, match="pixels"):
        bare.image()


@pytest.mark.parametrize("mirror", [False, True])
def test_its_image_is_the_annotated_one(mirror: bool) -> None:
    result = make_result(image=noise(200, 150))
    expected = annotate(result.frame.image, result.faces, mirror=mirror)
    assert np.array_equal(View(result, mirror=mirror).image(), expected)
    assert not np.array_equal(expected, noise(200, 150))


def test_its_image_has_ids_when_asked_for() -> None:
    result = make_result(image=noise(200, 150))
    with_ids = View(result, ids=True).image()
    assert np.array_equal(with_ids, annotate(result.frame.image, result.faces, ids=True))
    assert not np.array_equal(with_ids, View(result).image())


def test_mirroring_turns_the_image_and_not_the_coordinates() -> None:
    result = make_result(faces=0)
    view = View(result, mirror=True)
    assert np.array_equal(view.image(), noise()[:, ::-1])
    assert View(make_result(), mirror=True).as_record() == make_result().as_record()


def test_the_image_is_drawn_once_however_many_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def counting(image: Image, faces: Any, **options: bool) -> Image:
        drawn.append(1)
        return annotate(image, faces, **options)

    monkeypatch.setattr(rendering, "annotate", counting)
    view = View(make_result())
    assert drawn == []
    assert view.draw_s is None
    assert view.image() is view.image() is view.image()
    assert drawn == [1]
    assert view.draw_s is not None


def test_the_frame_itself_is_never_handed_out() -> None:
    result = make_result(faces=0)
    assert not np.shares_memory(View(result).image(), result.frame.image)
