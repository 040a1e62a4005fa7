"""Errors and their hints, in one process and across processes."""

from __future__ import annotations

import copy
import logging
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from fer_edge import errors
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import (
    FerEdgeError,
    MissingExtraError,
    OutputError,
    SourceError,
    UsageError,
    add_hint,
    describe_error,
)
from fer_edge.recognizer import EmotionRecognizer
from fer_edge.runtime.atomic_files import check_file

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, FerEdgeError) and kind is not MissingExtraError
]


def test_the_message_is_separate_from_the_hint() -> None:
    error = OutputError("a.csv: is not empty", hint="replace it with --overwrite")
    assert str(error) == "a.csv: is not empty"
    assert error.hint == "replace it with --overwrite"
    assert describe_error(error) == "a.csv: is not empty; replace it with --overwrite"


def test_an_error_needs_no_hint() -> None:
    error = OutputError("a.csv: disk full; free some space")
    assert error.hint is None
    assert describe_error(error) == str(error) == "a.csv: disk full; free some space"


@pytest.mark.parametrize(
    ("hint", "line"),
    [
        (None, "exists; choose another"),
        ("or replace it", "exists; choose another, or replace it"),
        ("order it", "exists; choose another; order it"),
        ("use\n--it", r"exists; choose another; use\n--it"),
    ],
)
def test_message_and_hint_are_one_line(hint: str | None, line: str) -> None:
    assert add_hint("exists; choose another", hint) == line


@pytest.mark.parametrize("kind", KINDS)
def test_copies_keep_the_hint(kind: type[FerEdgeError]) -> None:
    error = kind("a: broken", hint="use --b")
    for same in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(same) is kind
        assert (str(same), same.hint, same.exit_code) == ("a: broken", "use --b", kind.exit_code)


def test_an_error_with_its_own_constructor_can_be_copied() -> None:
    error = MissingExtraError("Ray", "archive")
    same = pickle.loads(pickle.dumps(error))
    assert (type(same), str(same), same.extra) == (MissingExtraError, str(error), "archive")
    assert str(copy.copy(error)) == str(error)


def _fail(message: str) -> None:
    raise SourceError(message, hint="use: fer-edge video")


def test_the_hint_crosses_a_process_border() -> None:
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(SourceError, match=r"^a\.mp4: not an image$") as raised,
    ):
        pool.submit(_fail, "a.mp4: not an image").result()
    assert raised.value.hint == "use: fer-edge video"


class TestInPython:
    """A user of the Python interface reads complete messages without options."""

    def test_a_file_that_is_not_an_image(self, tmp_path: Path) -> None:
        path = tmp_path / "clip.jpg"
        path.write_bytes(b"not an image")
        with EmotionRecognizer() as recognizer, pytest.raises(SourceError) as raised:
            recognizer.analyze(path)
        assert str(raised.value) == f"{path}: cannot read image: unsupported format or damaged file"
        assert raised.value.hint == "for a video, use: fer-edge video"

    def test_a_folder_without_images(self, tmp_path: Path) -> None:
        with (
            EmotionRecognizer() as recognizer,
            pytest.raises(
                SourceError, match=r"no images in this folder; images are files named [^-]*$"
            ) as raised,
            recognizer.stream(tmp_path) as results,
        ):
            next(results)
        assert raised.value.hint is not None
        assert "--recursive" in raised.value.hint

    @pytest.mark.parametrize("on_error", ["raise", "skip"])
    def test_an_unreadable_image_of_a_stream(
        self, on_error: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "a.jpg"
        path.write_bytes(b"not an image")
        with EmotionRecognizer() as recognizer:
            if on_error == "raise":
                with pytest.raises(SourceError) as raised:
                    list(recognizer.stream(tmp_path))
                assert raised.value.hint == "for a video, use: fer-edge video"
            else:
                with caplog.at_level(logging.WARNING):
                    assert list(recognizer.stream(tmp_path, on_error="skip")) == []
                (record,) = caplog.records
                assert "fer-edge" not in record.getMessage()
                assert record.__dict__["hint"] == "for a video, use: fer-edge video"

    def test_a_detector_that_takes_no_model(self) -> None:
        with pytest.raises(UsageError) as raised:
            create_detector("haar", still_image=True, model=Path("a.tflite"))
        assert str(raised.value) == "the detector haar does not take a model file; leave out 'a.tflite'"

    def test_a_file_that_exists(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.touch()
        with pytest.raises(OutputError) as raised:
            check_file(path, overwrite=False)
        assert str(raised.value) == f"{path}: already exists; choose another name"
        assert raised.value.hint == "or replace it with --overwrite"
