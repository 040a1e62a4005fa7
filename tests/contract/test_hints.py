"""Messages of the library name no options and no commands of the programs; these are in hints.

The tests parse the source with ``ast``. They check every string, because helpers also build messages.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("edge/fer_edge", "train/fer_train", "convert/fer_convert")

PROGRAMS: Final = "cli"
"""The package of each program's command line, which may name its options."""

REPORTS: Final = {"benchmark", "doctor", "release"}
"""Packages whose strings are the output of a command; only their errors are checked."""

OTHERS: Final[Mapping[str, str]] = {"--address": "an option of Ray"}
"""Strings that look like an option of ours, each with its reason."""

OPTION: Final = re.compile(r"""(^|[\s(`"'])--[a-z]""")
COMMAND: Final = re.compile(r"\b(use|run|with|one|first|it): fer-(edge|train|convert) (?!get )")
"""``fer-edge get`` and ``pip install`` are also what a user of the Python interface has to run."""
FOREIGN: Final = re.compile(r"\b(pip|python3|ray) [^;,]*")
HINT: Final = re.compile(r"_?([A-Z]+_)*HINT")


def find_flags(tree: ast.AST, *, errors_only: bool = False) -> list[str]:
    """Return the strings of a module that name an option or a command, without docstrings and hints."""
    return [
        f"line {line}: {text}"
        for line, text in _strings(tree, not errors_only)
        if text not in OTHERS and _names_flag(FOREIGN.sub("", text))
    ]


def _names_flag(text: str) -> bool:
    return OPTION.search(text) is not None or COMMAND.search(text) is not None


def _strings(node: ast.AST, relevant: bool) -> Iterator[tuple[int, str]]:
    relevant = relevant or isinstance(node, ast.Raise)
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        if relevant:
            yield node.lineno, "".join(map(str, parts))
        return
    if isinstance(node, ast.Constant):
        if relevant and isinstance(node.value, str):
            yield node.lineno, node.value
        return
    for child in ast.iter_child_nodes(node):
        if not _is_docstring(child) and not _is_hint(child):
            yield from _strings(child, relevant)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_hint(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg == "hint"
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Name) and HINT.fullmatch(node.target.id) is not None
    return False


def library_modules() -> list[Path]:
    """Return the modules of all packages outside the command lines."""
    return [
        path
        for package in PACKAGES
        for path in sorted((REPOSITORY / package).rglob("*.py"))
        if PROGRAMS not in path.relative_to(REPOSITORY).parts
    ]


def test_messages_name_no_options_outside_hints() -> None:
    found = {}
    for path in library_modules():
        errors_only = not REPORTS.isdisjoint(path.relative_to(REPOSITORY).parts)
        if flags := find_flags(ast.parse(path.read_text(encoding="utf-8")), errors_only=errors_only):
            found[str(path.relative_to(REPOSITORY))] = flags
    assert found == {}, "move the option or command into the error's hint"


@pytest.mark.parametrize(
    "source",
    [
        'raise OutputError("a: already exists; replace it with --overwrite")',
        'raise OutputError(f"{path}: already exists; replace it with --overwrite", hint="or rename it")',
        'raise UsageError(f"{path}: is a folder; " "for the images in it, use: fer-edge folder")',
        '_LOG.warning("%s: skip them with --skip-unreadable", path)',
        'REMEDY: Final = "use --no-show"',
    ],
)
def test_an_option_in_a_message_is_found(source: str) -> None:
    assert len(find_flags(ast.parse(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        'raise OutputError("a: already exists", hint="replace it with --overwrite")',
        'raise OutputError("a: already exists", hint=f"or {REPLACE_HINT}")',
        '_REPLACE_HINT: Final = "replace it with --overwrite"',
        'raise DetectorError("reinstall OpenCV: pip install --force-reinstall opencv-python-headless")',
        'raise ModelError("yunet has not been downloaded; run: fer-edge get yunet")',
        'def write():\n    """Write a file, or replace it with ``--overwrite``."""',
    ],
)
def test_hints_docstrings_and_other_programs_may_name_options(source: str) -> None:
    assert find_flags(ast.parse(source)) == []


def test_of_reports_only_the_errors_are_checked() -> None:
    source = 'print("Recommendation: --model accurate")\nraise UsageError("leave out --json")'
    assert find_flags(ast.parse(source), errors_only=True) == ["line 2: leave out --json"]
