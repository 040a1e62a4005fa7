"""Pages of the site: the documents, with adapted links, and the references."""

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
"""Documents in the root of the repository, and the names of their pages."""

NAVIGATION: Final = {
    "Using fer-edge": ("start", "usage", "cameras", "raspberry-pi", "detectors", "python"),
    "Results": ("outputs", "results", "live", "scale"),
    "Automation": ("events", "home-assistant", "fleet"),
    "Training and conversion": ("models", "own-photos", "training", "conversion", "experiments"),
    "Reference": (*COMMAND_PAGES, PYTHON_PAGE),
    "Project": (
        "architecture",
        "reliability",
        "mediapipe",
        "contributing",
        "security",
        "licenses",
        "changelog",
    ),
}
"""Groups of the sidebar. A page that is missing here makes ``make docs`` fail."""

_LINK: Final = re.compile(r"\]\((?!\w+://|#)([^)#\s]+)(#[^)\s]*)?\)")


def stage_pages(folder: Path) -> None:
    """Write the images and all pages, as MyST Markdown, to an empty folder."""
    shutil.copytree(REPOSITORY / "docs/images", folder / "images", ignore=shutil.ignore_patterns("*.py"))
    for document in sorted((REPOSITORY / "docs").glob("*.md")):
        (folder / document.name).write_text(_adapt_links(document), encoding="utf-8")
    for name, page in ROOT_PAGES.items():
        text = _adapt_links(REPOSITORY / name)
        (folder / page).write_text(text + _navigation() if page == "index.md" else text, encoding="utf-8")
    for name, text in render_commands().items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / f"{PYTHON_PAGE}.md").write_text(render_python(), encoding="utf-8")


def _adapt_links(document: Path) -> str:
    """Return the text of a document, with its links adapted to the site."""

    def adapt(match: re.Match[str]) -> str:
        target = (document.parent / match[1]).resolve().relative_to(REPOSITORY).as_posix()
        page = ROOT_PAGES.get(target, target.removeprefix("docs/"))
        return f"]({page}{match[2] or ''})"

    return _LINK.sub(adapt, document.read_text(encoding="utf-8"))


def _navigation() -> str:
    """Return the hidden tables of contents that Sphinx shows as the sidebar."""
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n"
        for caption, pages in NAVIGATION.items()
    )
