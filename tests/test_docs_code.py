"""Every block of code in the documents is run, or checked where it needs a camera, a cluster or hours.

Blocks that need more than the example files are run by the tests of their subject: those of conversion.md by
tests/convert/tflite/test_foreign_documents.py, of events.md by tests/edge/events/test_recipes.py, of results.md and the
README by tests/test_docs.py, and of CONTRIBUTING.md by tests/contract/test_contributing.py.
"""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml

import fer_edge
from fer_convert.cli.main import cli as fer_convert_cli
from fer_edge.cli.main import cli as fer_edge_cli
from fer_train.cli.main import cli as fer_train_cli
from tests.example_files import write_example_files

REPOSITORY: Final = Path(__file__).resolve().parents[1]
DOCUMENTS: Final = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")])
PROGRAMS: Final[dict[str, click.Command]] = {
    "fer-edge": fer_edge_cli,
    "fer-train": fer_train_cli,
    "fer-convert": fer_convert_cli,
}
MAKE_VARIABLES: Final = set(
    re.findall(r"\b([A-Z]+)\b(?==| \?=|\))", (REPOSITORY / "Makefile").read_text(encoding="utf-8"))
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code in a document; ``line`` is the number of its first line of code, from 1."""

    document: str
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def read_blocks(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start(3)) + 1
        yield Block(path.name, line, match[2], textwrap.dedent(match[3]))


BLOCKS: Final = [block for path in DOCUMENTS for block in read_blocks(path)]


def blocks_of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def test_every_language_is_checked() -> None:
    assert {block.language for block in BLOCKS} <= {"python", "sh", "", *PARSERS, "nginx"}


# --------------------------------------------------------------------------- Python


@pytest.mark.parametrize("block", blocks_of("python"), ids=str)
def test_python_compiles_and_what_it_imports_of_this_project_exists(block: Block) -> None:
    for node in ast.walk(ast.parse(block.code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fer_"):
            module = importlib.import_module(node.module or "")
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.parametrize("block", [b for b in blocks_of("python") if b.document == "python.md"], ids=str)
def test_the_python_of_the_page_about_python_runs(
    block: Block,
    tmp_path: Path,
    portrait_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_example_files(tmp_path, portrait_path)
    monkeypatch.chdir(tmp_path)
    if "__main__" in block.code:
        Path("example.py").write_text(block.code)
        done = subprocess.run(
            [sys.executable, "example.py"], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        printed = done.stdout
    else:
        exec(compile(block.code, str(block), "exec"), {"__name__": "example"})
        printed = capsys.readouterr().out
    assert bool(printed) == ("print(" in block.code)


def test_the_page_about_python_names_exactly_what_is_public() -> None:
    page = (REPOSITORY / "docs/python.md").read_text(encoding="utf-8")
    table = page.partition("## Every public name")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(fer_edge.__all__)


# --------------------------------------------------------------------------- commands


def read_commands(block: Block) -> Iterator[list[str]]:
    """Return the fer-edge commands of a block, split as by a shell, without ``$ `` and comments."""
    for line in re.sub(r"\\\n", " ", block.code).splitlines():
        if not any(program in line for program in ("make ", *PROGRAMS)):
            continue
        lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        for separates, words in groupby(lexer, key=lambda word: set(word) <= set("|&;")):
            command = list(words)
            if not separates and command[0] in {*PROGRAMS, "make"}:
                yield command


COMMANDS: Final = [
    pytest.param(words, id=f"{block}-{number}")
    for block in blocks_of("sh", "")
    if "──" not in block.code  # a diagram
    for number, words in enumerate(read_commands(block))
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_has_the_options_that_it_is_given(words: list[str]) -> None:
    if words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
        assert {word.partition("=")[0] for word in words[1:] if "=" in word} <= MAKE_VARIABLES
        return
    command, arguments = PROGRAMS[words[0]], words[1:]
    context = click.Context(command, info_name=words[0])
    if isinstance(command, click.Group):
        _, found, arguments = command.resolve_command(context, arguments)
        assert found is not None
        command = found
    context = click.Context(command, info_name=words[0])
    values, left, _ = command.make_parser(context).parse_args(list(arguments))
    assert left == []
    for option in command.params:
        if isinstance(option.type, click.Choice) and isinstance(values.get(option.name), str):
            option.type.convert(values[option.name], option, context)


@pytest.mark.parametrize("block", blocks_of("sh"), ids=str)
def test_shell_is_well_formed(block: Block) -> None:
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("no POSIX shell")
    done = subprocess.run([shell, "-n"], input=block.code, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --------------------------------------------------------------------------- data


def parse_ini(code: str) -> None:
    """Parse a systemd unit, whose keys may repeat."""
    configparser.RawConfigParser(strict=False).read_string(code)


def parse_json(code: str) -> None:
    """Parse JSON in which … stands for omitted values."""
    json.loads(re.sub(r",\s*…", "", code))


PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "ini": parse_ini,
    "json": parse_json,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}


@pytest.mark.parametrize("block", blocks_of(*PARSERS), ids=str)
def test_data_can_be_read(block: Block) -> None:
    PARSERS[block.language](block.code)
