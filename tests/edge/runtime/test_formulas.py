"""A file name never becomes a formula in a spreadsheet."""

from __future__ import annotations

import pytest

from fer_edge.runtime.formulas import protect_path


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0.jpg", "+1.jpg", "-2.jpg", "@SUM(A1).jpg", "\t=1.jpg", "＝1.jpg"]
)
def test_a_path_that_begins_like_one_is_written_from_its_folder(name: str) -> None:
    assert protect_path(name) == f"./{name}"


@pytest.mark.parametrize("name", ["a=b.jpg", "p/=x.jpg", "/=x.jpg", "rtsp://camera/1", "-", "camera 0", ""])
def test_other_names_are_unchanged(name: str) -> None:
    assert protect_path(name) == name
