"""Metadata and native libraries of an installed package or a wheel."""

from __future__ import annotations

import hashlib
import re
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["Distribution", "NativeLibrary", "read_installed", "read_runtime", "read_wheel"]

_NATIVE_FOLDER: Final = re.compile(r"(\.libs|\.dylibs)$")
_NATIVE_HASH: Final = re.compile(r"(-[0-9a-f]{8,32})+(?=\.)")
_NATIVE_SUFFIXES: Final = ("so", "dylib", "dll")

_SPDX: Final = {
    "Apache 2.0": "Apache-2.0",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "3-Clause BSD License": "BSD-3-Clause",
    "MIT": "MIT",
    "MPL-2.0 AND MIT": "MPL-2.0 AND MIT",
}
"""SPDX expressions for the wording of packages without the field ``License-Expression``."""


@dataclass(frozen=True, slots=True, order=True)
class NativeLibrary:
    """A library in a wheel's ``.libs`` folder; ``version`` is that of its interface, "" if its name lacks one."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """A package. ``license`` is an SPDX expression, or else the package's own wording.

    ``requires`` are the names of the packages it needs on this platform, without extras; ``sha256`` is that of the
    wheel.
    """

    name: str
    version: str
    license: str
    requires: tuple[str, ...]
    native: tuple[NativeLibrary, ...]
    sha256: str | None = None


def read_installed(name: str) -> Distribution:
    """Read an installed package's metadata. Raises ``importlib.metadata.PackageNotFoundError``."""
    found = metadata.distribution(name)
    parsed = BytesParser().parsebytes((found.read_text("METADATA") or "").encode())
    return _describe(parsed, map(str, found.files or ()), None)


def read_runtime(pyproject: Path) -> dict[str, Distribution]:
    """Read the installed dependencies of a ``pyproject.toml``, transitive ones included, by normalized name."""
    requirements = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    found: dict[str, Distribution] = {}
    waiting = list(_needed(requirements))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = read_installed(name)
            waiting += found[name].requires
    return dict(sorted(found.items()))


def read_wheel(path: Path) -> Distribution:
    """Read a wheel file. Raises OSError, or ``zipfile.BadZipFile`` or KeyError for a file that is not a wheel."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        (place,) = (name for name in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        parsed = BytesParser().parsebytes(archive.read(place))
    with path.open("rb") as file:
        return _describe(parsed, names, hashlib.file_digest(file, "sha256").hexdigest())


def _describe(parsed: Message, files: Iterable[str], sha256: str | None) -> Distribution:
    return Distribution(
        name=canonicalize_name(parsed["Name"]),
        version=parsed["Version"],
        license=_find_license(parsed),
        requires=tuple(sorted(set(_needed(parsed.get_all("Requires-Dist", []))))),
        native=tuple(sorted(set(_find_native(files)))),
        sha256=sha256,
    )


def _needed(requirements: Iterable[str]) -> Iterator[str]:
    """Yield the names of the packages needed on this platform, without extras."""
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _find_license(parsed: Message) -> str:
    expression = parsed["License-Expression"]
    if expression:
        return str(expression)
    said = [parsed["License"] or "", *parsed.get_all("Classifier", [])]
    return next(
        (_SPDX[text] for text in said if text in _SPDX), (parsed["License"] or "not stated").splitlines()[0]
    )


def _find_native(files: Iterable[str]) -> Iterator[NativeLibrary]:
    for name in files:
        path = PurePosixPath(name)
        if _NATIVE_FOLDER.search(path.parent.name):
            library, *rest = _NATIVE_HASH.sub("", path.name).split(".")
            yield NativeLibrary(library, ".".join(part for part in rest if part not in _NATIVE_SUFFIXES))
