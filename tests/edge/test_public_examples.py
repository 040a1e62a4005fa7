"""Every public name has an example in its docstring, and every example runs as users would run it."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path

import pytest

import fer_edge
from tests.example_files import write_example_files

NAMES = [name for name in fer_edge.__all__ if name != "__version__"]
FINDER = doctest.DocTestFinder(exclude_empty=True)


def is_error_below_the_root(name: str) -> bool:
    """Return whether a name is an error class that shares the example of FerEdgeError."""
    thing = getattr(fer_edge, name)
    return inspect.isclass(thing) and issubclass(thing, Exception) and thing is not fer_edge.FerEdgeError


@pytest.mark.parametrize("name", [name for name in NAMES if not is_error_below_the_root(name)])
def test_every_public_name_has_an_example(name: str) -> None:
    assert FINDER.find(getattr(fer_edge, name), name, globs={})[0].examples


def documented() -> list[doctest.DocTest]:
    """Yield the documented objects: the package, its public names and their methods, each once."""
    things = [("fer_edge", fer_edge), *((name, getattr(fer_edge, name)) for name in NAMES)]
    found = [test for name, thing in things for test in FINDER.find(thing, name, globs={}) if test.examples]
    return list({(test.filename, test.lineno): test for test in found}.values())


@pytest.mark.parametrize("example", documented(), ids=lambda example: example.name)
def test_every_example_runs(
    example: doctest.DocTest, tmp_path: Path, portrait_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_example_files(tmp_path, portrait_path)
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(example, out=report.append)
    assert not report, "".join(report)
