"""Under CI=true, a test may be skipped only for the reasons in ci_skips.txt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

SUITE = """
import pytest

@pytest.mark.skip(reason="the moon is full")
def test_marked(): ...

def test_called():
    pytest.skip("the moon is full")

@pytest.fixture
def moon():
    pytest.skip("the moon is full")

def test_fixture(moon): ...

@pytest.mark.xfail(reason="known")
def test_expected_to_fail():
    raise AssertionError

def test_passes(): ...
"""


def run(folder: Path, suite: str, *, ci: str, allowed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a test suite with this project's conftest in a separate process."""
    (folder / "test_suite.py").write_text(suite)
    (folder / "ci_skips.txt").write_text(allowed)
    (folder / "pytest.ini").write_text("[pytest]\n")
    shutil.copy(TESTS / "conftest.py", folder)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "CI_SKIPS")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", folder],
        env=environment | {"CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("ci", "allowed", "status", "summary"),
    [
        ("", "", 0, "1 passed, 3 skipped, 1 xfailed"),
        ("true", "", 1, "1 failed, 1 passed, 1 xfailed, 2 errors"),
        ("true", "the moon is new", 1, "1 failed, 1 passed, 1 xfailed, 2 errors"),
        ("true", "# the moon\n\nthe moon is full", 0, "1 passed, 3 skipped, 1 xfailed"),
        ("true", "the moon is *", 0, "1 passed, 3 skipped, 1 xfailed"),
    ],
)
def test_a_skip_fails_under_ci_unless_it_is_listed(
    ci: str, allowed: str, status: int, summary: str, tmp_path: Path
) -> None:
    done = run(tmp_path, SUITE, ci=ci, allowed=allowed)
    assert done.returncode == status, done.stdout
    assert summary in done.stdout
    assert ("skipped under CI: the moon is full" in done.stdout) is bool(status)


@pytest.mark.parametrize(("allowed", "status"), [("", 2), ("could not import 'nowhere'*", 5)])
def test_a_module_that_skips_itself_counts(allowed: str, status: int, tmp_path: Path) -> None:
    suite = 'import pytest\npytest.importorskip("nowhere")\ndef test_it(): ...\n'
    done = run(tmp_path, suite, ci="true", allowed=allowed)
    assert done.returncode == status, done.stdout


@pytest.mark.parametrize(
    "pattern",
    [
        line
        for line in (TESTS / "ci_skips.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ],
)
def test_every_listed_reason_occurs_in_a_test(pattern: str) -> None:
    if pattern.startswith("could not import '"):  # the reason given by pytest.importorskip
        pattern = pattern.split("'")[1]
    sources = [path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py")]
    assert any(all(piece in source for piece in pattern.split("*")) for source in sources)
