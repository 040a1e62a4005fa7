"""Size limits that keep the code readable: modules per folder, lines per function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("edge/fer_edge", "train/fer_train", "convert/fer_convert")

MOST_MODULES: Final = 12
MOST_LINES: Final = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(package: str) -> Iterator[tuple[Path, Function]]:
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield path.relative_to(REPOSITORY), node


def count_lines(function: Function) -> int:
    """Count the lines from ``def`` to the end, without decorators and the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def test_few_modules_lie_directly_in_the_runtime() -> None:
    modules = sorted(path.name for path in (REPOSITORY / "edge/fer_edge").glob("*.py"))
    assert len(modules) <= MOST_MODULES, f"at most {MOST_MODULES} modules; the others belong in a folder"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_is_long(package: str) -> None:
    found = list(functions(package))
    assert found
    long = [
        f"{path}:{function.lineno} {function.name} has {count_lines(function)} lines, at most {MOST_LINES}"
        for path, function in found
        if count_lines(function) > MOST_LINES
    ]
    if long:
        pytest.fail("\n".join(long), pytrace=False)
