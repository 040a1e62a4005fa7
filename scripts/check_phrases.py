"""Find the phrases of ``scripts/phrases.txt`` in the files of the repository: ``python scripts/check_phrases.py``.

Prints ``file:line: phrase ==> replacement`` for each and exits with 1 if there are any. Files or folders to search may
be given as arguments. codespell checks single words; phrases can span two lines, which it cannot find. A line that
contains ``codespell:ignore`` is skipped.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PHRASES = Path(__file__).with_name("phrases.txt")
SUFFIXES = {".css", ".html", ".js", ".md", ".py", ".service", ".sh", ".toml", ".yml"}
NAMES = {"Makefile", "run"}
GAP = r"(?:[ \t]|[ \t]*\n[ \t#]*)"  # a space, or a line break with the comment sign of the next line

Rule = tuple[re.Pattern[str], str]


def read_rules(path: Path = PHRASES) -> list[Rule]:
    """Read the rules of a phrase file as (pattern, replacement)."""
    rules = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern, replacement = line.split(" -> ")
            rules.append((re.compile(pattern.replace(" ", GAP)), replacement))
    return rules


def find_phrases(text: str, rules: Sequence[Rule]) -> list[tuple[int, str, str]]:
    """Return (line number, phrase, replacement) for each forbidden phrase, in order."""
    lines = text.splitlines()
    found = []
    for pattern, replacement in rules:
        for match in pattern.finditer(text):
            number = text.count("\n", 0, match.start()) + 1
            if "codespell:ignore" not in lines[number - 1]:
                found.append((number, " ".join(match[0].replace("#", " ").split()), replacement))
    return sorted(found)


def list_files(paths: Sequence[str]) -> Iterator[Path]:
    """Yield the text files that git tracks or would add, below ``paths`` or everywhere."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in sorted(set(filter(None, names.split("\0")))):
        path = ROOT / name
        if (path.suffix in SUFFIXES or path.name in NAMES) and path.is_file():
            yield path


def main() -> None:
    """Print the forbidden phrases and exit with 1 if there are any."""
    rules, count = read_rules(), 0
    for path in list_files(sys.argv[1:]):
        for number, phrase, replacement in find_phrases(path.read_text(encoding="utf-8"), rules):
            print(f"{path.relative_to(ROOT)}:{number}: {phrase} ==> {replacement}")
            count += 1
    if count:
        sys.exit(f"{count} forbidden phrases; rewrite them (rules: scripts/phrases.txt)")


if __name__ == "__main__":
    main()
