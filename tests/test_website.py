"""The documentation site: it has every page, loads nothing from elsewhere, and is readable on a phone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fer_edge
from bench.chromium import Browser
from docs.website.references import render_commands, render_python

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site like ``make docs``, which fails on dead links and on pages without a link to them."""
    pytest.importorskip("sphinx")
    out = tmp_path_factory.mktemp("docs") / "html"
    done = subprocess.run(
        [sys.executable, "-m", "docs.website", str(out)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


def test_every_document_is_a_page(site: Path) -> None:
    names = {path.stem for path in (REPOSITORY / "docs").glob("*.md")} | {
        "index",
        "contributing",
        "changelog",
    }
    assert names <= {path.stem for path in site.glob("*.html")}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    foreign = re.compile(
        r"""<(?:script|img|iframe|source)[^>]*\ssrc=["'](?:https?:)?//|"""
        r"""<link[^>]*\shref=["'](?:https?:)?//|url\(["']?(?:https?:)?//|@import ["'](?:https?:)?//"""
    )
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert len(files) > 20
    assert [path.name for path in files if foreign.search(path.read_text(encoding="utf-8"))] == []


def test_the_search_finds_a_page_from_the_disk(site: Path, browser: Browser) -> None:
    browser.open((site / "search.html").as_uri() + "?q=reconnect")
    browser.wait_for("document.querySelectorAll('#search-results li a').length > 0")
    found = browser.evaluate("[...document.querySelectorAll('#search-results li a')].map(a => a.textContent)")
    assert "Cameras" in found
    assert browser.problems == []


@pytest.mark.parametrize("page", ["index", "usage", "detectors", "python-reference", "commands-fer-edge"])
@pytest.mark.parametrize(("width", "height", "phone"), [(1440, 900, False), (360, 780, True)])
def test_no_page_is_wider_than_the_screen(
    page: str, width: int, height: int, phone: bool, site: Path, browser: Browser
) -> None:
    browser.resize(width, height, phone=phone)
    browser.open((site / f"{page}.html").as_uri())
    browser.wait_for("document.readyState === 'complete'")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("[...document.images].every(i => i.loading === 'lazy' || i.naturalWidth > 0)")
    assert browser.problems == []


def test_the_reference_has_every_public_name_once() -> None:
    named = re.findall(r"^\.\. auto\w+:: fer_edge\.(\w+)$", render_python(), re.MULTILINE)
    assert sorted(named) == sorted(set(fer_edge.__all__) - {"__version__"})


def test_the_reference_has_every_command() -> None:
    titles = {
        title for page in render_commands().values() for title in re.findall(r"^## (.*)$", page, re.MULTILINE)
    }
    assert {"fer-edge video", "fer-edge doctor", "fer-train fit", "fer-convert verify"} <= titles


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    done = subprocess.run(
        [sys.executable, "-m", "docs.website", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, (tmp_path / "mine.txt").read_text()) == (2, "kept")
    assert "choose another folder" in done.stderr
