"""Build the site: ``python -m docs.website [OUT]``; warnings are errors."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from docs.website.pages import REPOSITORY, stage_pages

HERE = Path(__file__).resolve().parent


def build(out: Path) -> int:
    """Build the site in a new or empty folder; return the exit status of Sphinx."""
    from sphinx.cmd.build import build_main

    with TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        stage_pages(source)
        shutil.copy(HERE / "conf.py", source)
        (source / "_static").mkdir()
        shutil.copy(HERE / "site.css", source / "_static")
        return build_main(["-q", "-W", "--keep-going", "-d", f"{folder}/doctrees", str(source), str(out)])


def main() -> int:
    """Build the site and print its path."""
    parser = argparse.ArgumentParser(prog="python -m docs.website", description="Build the documentation.")
    parser.add_argument("out", nargs="?", type=Path, default=REPOSITORY / "build/docs")
    out: Path = parser.parse_args().out
    if out.exists() and not (out / "genindex.html").exists() and any(out.iterdir()):
        print(f"Error: {out}: contains other files; choose another folder", file=sys.stderr)
        return 2
    shutil.rmtree(out, ignore_errors=True)
    status = build(out)
    if status == 0:
        print(f"Open in a browser: {out / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
