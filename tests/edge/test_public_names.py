"""The public names of ``fer_edge``, and a cheap import."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import fer_edge
from fer_edge import errors

MODULES = sorted(module.name for module in pkgutil.walk_packages(fer_edge.__path__, "fer_edge."))


def test_the_names_are_sorted() -> None:
    assert fer_edge.__all__ == sorted(fer_edge.__all__)


@pytest.mark.parametrize("name", fer_edge.__all__)
def test_every_name_loads(name: str) -> None:
    assert getattr(fer_edge, name) is not None


def test_every_class_and_function_says_what_it_is() -> None:
    described = [getattr(fer_edge, name) for name in fer_edge.__all__ if name != "__version__"]
    assert all(thing.__doc__ for thing in described)


def test_dir_shows_the_public_names() -> None:
    assert dir(fer_edge) == fer_edge.__all__


def test_every_error_is_public() -> None:
    declared = {name for name in errors.__all__ if name[0].isupper()}
    assert declared <= set(fer_edge.__all__)


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        fer_edge.Recogniser  # noqa: B018


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_each_module_declares_its_names_in_order(name: str) -> None:
    module = importlib.import_module(name)
    declared = list(getattr(module, "__all__", []))
    # Constants first, then classes, then functions, each in alphabetical order.
    assert declared == sorted(declared, key=lambda entry: (not entry.isupper(), entry[0].islower(), entry))
    assert all(hasattr(module, entry) for entry in declared)


def test_importing_the_package_loads_no_library() -> None:
    script = (
        "import sys, fer_edge; print([name for name in ('numpy', 'cv2', 'click') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
