"""``scripts/check_phrases.py``: phrases that the language rules forbid are found, others are not."""

from __future__ import annotations

import pytest

from scripts.check_phrases import find_phrases, list_files, read_rules

RULES = read_rules()


@pytest.mark.parametrize(
    "text",
    [
        "The file is not there.",  # codespell:ignore
        "A file that is already there is kept.",  # codespell:ignore
        "faster by 3 % in the mean",  # codespell:ignore
        "a model that can be had elsewhere",  # codespell:ignore
        "It works offline, too, without a network.",  # codespell:ignore
        "Frames are dropped, too when the queue is full.",  # codespell:ignore
        "The page keeps its looks.",  # codespell:ignore
        "in a process of its own",  # codespell:ignore
        "a folder that holds none",  # codespell:ignore
        "the model, where there is one",  # codespell:ignore
        '"""What a data set holds."""',  # codespell:ignore
    ],
)
def test_forbidden_phrases_are_found(text: str) -> None:
    assert len(find_phrases(text, RULES)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "The file does not exist.",
        "in the mean of both probabilities",
        "The image is too dark, too small or too noisy.",
        "It works offline, too.",
        "It looks up the model.",
        "None of the files is missing.",
        "where there is one face",
        "Return the model, or None if there is none.",
        '"""Whether the source is live."""',
    ],
)
def test_other_phrases_are_accepted(text: str) -> None:
    assert find_phrases(text, RULES) == []


def test_phrases_are_found_across_line_breaks_and_comment_signs() -> None:
    text = "a = 1\n    # The file is\n    # not there.\n"
    assert [line for line, _, _ in find_phrases(text, RULES)] == [2]


def test_a_marked_line_is_skipped() -> None:
    assert find_phrases("in the mean  # codespell:ignore", RULES) == []


def test_code_and_documents_are_searched_but_data_and_the_list_are_not() -> None:
    names = {path.name for path in list_files([])}
    assert {"README.md", "Makefile", "test_phrases.py", "fer-edge.service"} <= names
    assert not names & {"phrases.txt", "results.json", "LICENSE"}
