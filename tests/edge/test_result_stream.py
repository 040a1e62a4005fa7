"""A stream of results: skipped inputs, statistics, and cleanup when it is left early."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fer_edge import EmotionRecognizer, Frame, SkippedInput, SourceError, UsageError
from fer_edge.types import Image
from tests.edge.support import ItemSource


@pytest.fixture(scope="module")
def recognizer() -> Iterator[EmotionRecognizer]:
    with EmotionRecognizer(threads=2) as shared:
        yield shared


@pytest.fixture
def photos(tmp_path: Path, portrait_path: Path) -> Path:
    """Return three images, the second of them unreadable."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(portrait_path, folder / "a.jpg")
    (folder / "b.jpg").write_text("not an image")
    shutil.copy(portrait_path, folder / "c.jpg")
    return folder


def test_an_image_that_cannot_be_read_is_skipped_with_a_warning(
    recognizer: EmotionRecognizer, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "fer_edge"), recognizer.stream(photos, on_error="skip") as results:
        names = [Path(result.frame.source).name for result in results]
    assert names == ["a.jpg", "c.jpg"]
    assert results.skipped == 1
    assert ["b.jpg" in record.getMessage() for record in caplog.records] == [True]


def test_a_function_is_told_of_what_is_skipped(recognizer: EmotionRecognizer, photos: Path) -> None:
    skipped: list[SkippedInput] = []
    assert len(list(recognizer.stream(photos, on_error=skipped.append))) == 2
    assert [item.source for item in skipped] == [str(photos / "b.jpg")]


def test_what_the_function_raises_ends_the_stream(recognizer: EmotionRecognizer, photos: Path) -> None:
    def give_up(item: SkippedInput) -> None:
        raise KeyError(item.source)

    with pytest.raises(KeyError, match=r"b\.jpg"):
        list(recognizer.stream(photos, on_error=give_up))


@pytest.mark.parametrize("on_error", ["ignore", None, 0])
def test_another_way_of_treating_errors_is_refused(recognizer: EmotionRecognizer, on_error: Any) -> None:
    with pytest.raises(UsageError, match="'raise', 'skip' or a function"):
        recognizer.stream("photos", on_error=on_error)


@pytest.mark.parametrize("on_error", ["raise", "skip", print])
def test_a_video_that_is_missing_always_raises(recognizer: EmotionRecognizer, on_error: Any) -> None:
    with pytest.raises(SourceError), recognizer.stream("missing.mp4", on_error=on_error) as results:
        next(results)


def test_leaving_a_stream_closes_its_source(recognizer: EmotionRecognizer, portrait: Image) -> None:
    source = ItemSource([Frame(portrait, "mine", index, index / 10) for index in range(9)])
    with recognizer.stream(source) as results:
        assert next(results).frame.index == 0
        assert not source.closed
    assert source.closed
    assert list(results) == []


def test_a_stream_that_nobody_holds_closes_its_source(recognizer: EmotionRecognizer, portrait: Image) -> None:
    source = ItemSource([Frame(portrait, "mine", index, index / 10) for index in range(9)])
    next(recognizer.stream(source))
    assert source.closed


def test_a_stream_tells_of_its_source(recognizer: EmotionRecognizer, portrait_path: Path) -> None:
    with recognizer.stream(portrait_path) as results:
        assert (results.info.name, results.info.still) == (str(portrait_path), True)
        assert len(list(results)) == 1
    assert (results.skipped, results.frames_dropped) == (0, 0)


def test_a_recognizer_that_is_closed_before_the_first_result_says_so(portrait_path: Path) -> None:
    with EmotionRecognizer(threads=1) as recognizer:
        results = recognizer.stream(portrait_path)
    with pytest.raises(ValueError, match="closed"):
        next(results)
