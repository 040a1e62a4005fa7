"""The pages of the site: the repository's documents with their links turned, and the generated references."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from docs.website.references import COMMAND_PAGES, PYTHON_PAGE, render_commands, render_python

__all__ = ["NAVIGATION", "REPOSITORY", "stage_pages"]

REPOSITORY: Final = Path(__file__).resolve().parents[2]

ROOT_PAGES: Final = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
"""The documents in the root of the repository, and their names in the site."""

NAVIGATION: Final = {
    "Use": ("start", "usage", "cameras", "raspberry-pi", "detectors", "python"),
    "Results": ("outputs", "results", "live", "scale"),
    "Automate": ("events", "home-assistant", "fleet"),
    "Train and convert": ("models", "own-photos", "training", "conversion", "experiments"),
    "Reference": (*COMMAND_PAGES, PYTHON_PAGE),
    "The project": (
        "architecture",
        "reliability",
        "mediapipe",
        "contributing",
        "security",
        "licenses",
        "changelog",
    ),
}
"""The groups of the navigation. Sphinx warns, and ``make docs`` fails, about a page that is in none."""

_LINK: Final = re.compile(r"\]\((?!\w+://|#)([^)#\s]+)(#[^)\s]*)?\)")


def stage_pages(folder: Path) -> None:
    """Write every page of the site, as MyST Markdown, and the images into an empty folder."""
    shutil.copytree(REPOSITORY / "docs/images", folder / "images", ignore=shutil.ignore_patterns("*.py"))
    for document in sorted((REPOSITORY / "docs").glob("*.md")):
        (folder / document.name).write_text(_turn_links(document), encoding="utf-8")
    for name, page in ROOT_PAGES.items():
        text = _turn_links(REPOSITORY / name)
        (folder / page).write_text(text + _navigation() if page == "index.md" else text, encoding="utf-8")
    for name, text in render_commands().items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / f"{PYTHON_PAGE}.md").write_text(render_python(), encoding="utf-8")


def _turn_links(document: Path) -> str:
    """Read a document with its links to others turned to where these are in the site."""

    def turn(match: re.Match[str]) -> str:
        target = (document.parent / match[1]).resolve().relative_to(REPOSITORY).as_posix()
        page = ROOT_PAGES.get(target, target.removeprefix("docs/"))
        return f"]({page}{match[2] or ''})"

    return _LINK.sub(turn, document.read_text(encoding="utf-8"))


def _navigation() -> str:
    """Render the hidden tables of contents that make the side bar."""
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n"
        for caption, pages in NAVIGATION.items()
    )
