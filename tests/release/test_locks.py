"""The lock files pin all requirements of pyproject.toml with hashes and contain no URL."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PROJECT: Final[dict[str, Any]] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS: Final = ("build", "runtime", "development")


def read_lock(name: str) -> dict[str, list[Requirement]]:
    """Return the pinned requirements by name; a name has several if versions differ between systems."""
    found: dict[str, list[Requirement]] = {}
    for line in (REPOSITORY / "locks" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", " ")):
            requirement = Requirement(line.removesuffix("\\"))
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def asked_for(name: str) -> list[Requirement]:
    groups = PROJECT["dependency-groups"]
    build = [*groups["build"], *PROJECT["build-system"]["requires"]]
    runtime = PROJECT["project"]["dependencies"]
    development = [*runtime, *PROJECT["project"]["optional-dependencies"]["train"], *groups["dev"]]
    texts = {"build": build, "runtime": runtime, "development": development}[name]
    return [Requirement(text) for text in texts if isinstance(text, str)]


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_asked_for_is_pinned_within_its_bounds(name: str) -> None:
    lock = read_lock(name)
    for requirement in asked_for(name):
        pinned = lock[canonicalize_name(requirement.name)]
        for pin in pinned:
            (specifier,) = pin.specifier
            assert specifier.operator == "=="
            assert requirement.specifier.contains(specifier.version), f"{pin}: renew with `make lock`"


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_hashes_and_no_address(name: str) -> None:
    text = (REPOSITORY / "locks" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.split("\n", 1)[1].strip())
    assert len(entries) >= sum(map(len, read_lock(name).values()))
    for entry in entries:
        assert re.fullmatch(r"[^\s=]+==\S+( ;[^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry), entry
    assert "://" not in text


def test_they_agree_with_each_other() -> None:
    everything = read_lock("development")
    for name in ("build", "runtime"):
        for package, pins in read_lock(name).items():
            allowed = {str(pin.specifier) for pin in everything[package]}
            assert {str(pin.specifier) for pin in pins} <= allowed, package
