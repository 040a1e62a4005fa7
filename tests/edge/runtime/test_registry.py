"""Names of built-in components and of those that other packages add."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from fer_edge.errors import PluginError, UsageError
from fer_edge.runtime.registry import Registry

BUILT_IN = {"json": "json:dumps", "math": "math:sqrt"}


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install another package with valid, broken and shadowing entry points."""
    (tmp_path / "other_package.py").write_text("def make():\n    return 'made elsewhere'\n")
    (tmp_path / "needs_something.py").write_text("import a_library_that_is_not_installed\n")
    (tmp_path / "damaged.py").write_text("def make(:\n")
    (tmp_path / "failing.py").write_text("raise RuntimeError('no device')\n")
    info = tmp_path / "other_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[fer_edge.test_things]\n"
        "zebra = other_package:make\n"
        "ant = other_package:make\n"
        "json = other_package:make\n"
        "gone = other_package:nothing_here\n"
        "needy = needs_something:make\n"
        "damaged = damaged:make\n"
        "failing = failing:make\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def registry(group: str = "fer_edge.test_things") -> Registry[Any]:
    return Registry("thing", group, BUILT_IN)


def test_built_in_ones_are_imported_by_their_name() -> None:
    assert registry("fer_edge.nothing").load("math")(9) == 3
    assert registry("fer_edge.nothing").names == ("json", "math")


def test_nothing_is_imported_before_it_is_loaded() -> None:
    lazy: Registry[Any] = Registry("thing", "fer_edge.nothing", {"missing": "no_such_module:make"})
    assert "missing" in lazy
    assert lazy.names == ("missing",)
    with pytest.raises(ModuleNotFoundError):
        lazy.load("missing")


@pytest.mark.usefixtures("plugins")
def test_those_of_other_packages_come_after_them_in_alphabetical_order() -> None:
    assert registry().names == ("json", "math", "ant", "damaged", "failing", "gone", "needy", "zebra")
    assert "zebra" in registry()
    assert "yak" not in registry()
    assert 3 not in registry()


@pytest.mark.usefixtures("plugins")
def test_one_of_another_package_is_loaded_by_its_name() -> None:
    assert registry().load("zebra")() == "made elsewhere"
    assert registry().is_plugin("zebra")
    assert not registry().is_plugin("json")
    assert not registry().is_plugin("unknown")


@pytest.mark.usefixtures("plugins")
def test_a_built_in_one_cannot_be_replaced() -> None:
    assert registry().load("json")([1]) == "[1]"


@pytest.mark.usefixtures("plugins")
def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"unknown thing 'yak'; choose one of: json, math, ant, .*, zebra"):
        registry().load("yak")


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone", "other_package:nothing_here"),
        ("needy", "a_library_that_is_not_installed"),
        ("damaged", "damaged:make: invalid syntax"),
        ("failing", "failing:make: no device"),
    ],
)
def test_one_that_cannot_be_imported_is_an_error_that_names_it(name: str, reason: str) -> None:
    with pytest.raises(PluginError, match=f"thing '{name}': cannot import .*{reason}") as caught:
        registry().load(name)
    assert "reinstall the package that provides it" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_other_packages_declare_is_read_once_and_late(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def entry_points(*, group: str) -> list[EntryPoint]:
        read.append(group)
        return [EntryPoint("late", "math:floor", group)]

    monkeypatch.setattr("fer_edge.runtime.registry.entry_points", entry_points)
    things = registry("fer_edge.nothing")
    things.load("math")
    assert read == []
    assert things.names == ("json", "math", "late")
    assert things.load("late")(2.5) == 2
    assert read == ["fer_edge.nothing"]
