"""Every package, native library and license in an installation is listed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from release.distribution import Distribution, NativeLibrary, read_runtime
from release.licenses import find_native_license, find_problems, render_page

REPOSITORY: Final = Path(__file__).resolve().parents[2]


def make(
    name: str = "click", license: str = "BSD-3-Clause", native: tuple[NativeLibrary, ...] = ()
) -> Distribution:
    return Distribution(name, "1.0", license, (), native)


def test_all_that_the_runtime_installs_is_known() -> None:
    found = read_runtime(REPOSITORY / "pyproject.toml")
    assert {"numpy", "av", "ai-edge-litert", "protobuf"} <= set(found)
    assert not list(find_problems(found.values()))


def test_the_wheels_native_libraries_are_seen() -> None:
    native = {library.name for library in read_runtime(REPOSITORY / "pyproject.toml")["av"].native}
    assert {"libx264", "libavcodec"} <= native


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (make("left-pad", "WTFPL"), "left-pad: the package is new, its license is WTFPL"),
        (make(license="BSD-3-Clause AND SSPL-1.0"), "click 1.0: the license is new: SSPL-1.0"),
        (
            make(native=(NativeLibrary("libfdk-aac", "2"),)),
            "click 1.0: the library libfdk-aac in its wheel is new",
        ),
    ],
)
def test_new_dependencies_are_reported(found: Distribution, said: str) -> None:
    assert list(find_problems([found])) == [said]


def test_openblas_is_known_by_all_its_names() -> None:
    names = ("libopenblasp-r0", "libscipy_openblas64_", "libopenblas")
    assert {find_native_license(name) for name in names} == {"BSD-3-Clause"}


def test_the_page_is_the_tables() -> None:
    page = (REPOSITORY / "docs" / "licenses.md").read_text(encoding="utf-8")
    assert page == render_page(), "renew it: python -m release.licenses > docs/licenses.md"
