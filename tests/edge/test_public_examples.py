"""Every public name has an example in its docstring, and every example runs as a user would run it."""

from __future__ import annotations

import doctest
import inspect
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import fer_edge
from tests.edge.reports.rows import make_face, make_frame, write_rows
from tests.edge.support import read_back, write_video

NAMES = [name for name in fer_edge.__all__ if name != "__version__"]
FINDER = doctest.DocTestFinder(exclude_empty=True)


def is_error_below_the_root(name: str) -> bool:
    """Whether a name is one of the errors, which share the example of FerEdgeError."""
    thing = getattr(fer_edge, name)
    return inspect.isclass(thing) and issubclass(thing, Exception) and thing is not fer_edge.FerEdgeError


@pytest.fixture
def user_folder(tmp_path: Path, portrait_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the examples read, in the current folder; ``photos/broken.jpg`` is not an image."""
    portrait = read_back(portrait_path)
    shutil.copy(portrait_path, tmp_path / "face.jpg")
    (tmp_path / "photos").mkdir()
    shutil.copy(portrait_path, tmp_path / "photos/portrait.jpg")
    (tmp_path / "photos/broken.jpg").write_text("not an image")
    cv2.imwrite(str(tmp_path / "photos/empty.png"), np.full((120, 160, 3), 128, np.uint8))
    height, width = portrait.shape[:2]
    write_video(tmp_path / "clip.mp4", [portrait] * 3, size=(width, height))
    write_rows(
        tmp_path / "rows.jsonl",
        [make_frame(index, [make_face(0, "neutral")], time_s=index / 10) for index in range(3)],
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [name for name in NAMES if not is_error_below_the_root(name)])
def test_every_public_name_has_an_example(name: str) -> None:
    assert FINDER.find(getattr(fer_edge, name), name, globs={})[0].examples


def documented() -> list[doctest.DocTest]:
    """The examples of the package, its public names and their methods; none twice."""
    things = [("fer_edge", fer_edge), *((name, getattr(fer_edge, name)) for name in NAMES)]
    found = [test for name, thing in things for test in FINDER.find(thing, name, globs={}) if test.examples]
    return list({(test.filename, test.lineno): test for test in found}.values())


@pytest.mark.parametrize("example", documented(), ids=lambda example: example.name)
def test_every_example_runs(example: doctest.DocTest, user_folder: Path) -> None:
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(example, out=report.append)
    assert not report, "".join(report)
