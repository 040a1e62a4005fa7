"""The documents match the program: every name in them exists, and every feature is documented."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_convert.cli.main import cli as fer_convert
from fer_edge.cli.main import cli as fer_edge
from fer_train.cli.main import cli as fer_train
from tests.edge.reports.rows import make_face, make_frame, write_rows

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")])
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
EVERYTHING = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
LIBRARY_OPTIONS = {"--help", "--version"}


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and its subcommands, as a user types them."""
    yield name, command
    if isinstance(command, click.Group):
        for part, below in command.commands.items():
            yield from commands(f"{name} {part}", below)


COMMANDS = [
    found
    for name, command in (("fer-edge", fer_edge), ("fer-train", fer_train), ("fer-convert", fer_convert))
    for found in commands(name, command)
]


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_has_a_help_text_and_is_in_the_documents(name: str, command: click.Command) -> None:
    assert command.help
    assert name in EVERYTHING


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_option_is_explained_and_in_the_documents(name: str, command: click.Command) -> None:
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts[0]} has no help"
            long = next(text for text in option.opts if text.startswith("--"))
            assert long in LIBRARY_OPTIONS or long in EVERYTHING, f"{name} {long} is in no document"


@pytest.mark.parametrize("name", ["README.md", "docs/usage.md", "docs/python.md"])
def test_every_option_that_a_document_names_exists(name: str) -> None:
    known = {text for _, command in COMMANDS for option in command.params for text in option.opts} | {
        text for _, command in COMMANDS for option in command.params for text in option.secondary_opts
    }
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert named - known - LIBRARY_OPTIONS == set()


def test_make_targets_and_documents_agree() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):.*##", makefile, re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)\b", re.sub(r"make PYTHON", "", EVERYTHING)))
    in_code = {
        target for target in named if f"`make {target}" in EVERYTHING or f"\nmake {target}" in EVERYTHING
    }
    assert in_code <= targets
    assert targets - {"wheel-test"} <= named


@pytest.mark.parametrize("document", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_links_lead_somewhere_and_nothing_is_left_to_fill_in(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
    assert "@@" not in text
    assert "{{" not in text


def test_the_readme_s_python_runs(
    portrait: NDArray[np.uint8],
    portrait_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(portrait_path, tmp_path / "face.jpg")
    writer = cv2.VideoWriter(
        str(tmp_path / "clip.mp4"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (512, 600)
    )
    for _ in range(3):
        writer.write(portrait)
    writer.release()
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 1 + 3


RESULTS = (REPOSITORY / "docs/results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", range(RESULTS.count("```python")))
def test_the_examples_of_results_run(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Two people; the second one smiles from second 62 to 66.
    views = [
        make_frame(
            index,
            [make_face(0, "sad"), make_face(1, "happy" if 620 <= index < 660 else "sad")],
            time_s=index / 10,
        )
        for index in range(1000)
    ]
    write_rows(tmp_path / "rows.jsonl", views)
    (tmp_path / "labels.csv").write_text("source,begin,end,label\nclip.mp4,62,63.95,happy\n")
    monkeypatch.chdir(tmp_path)
    example = re.findall(r"```python\n(.*?)```", RESULTS, re.DOTALL)[number]
    exec(compile(example, "results.md", "exec"), {})
    printed = capsys.readouterr().out
    for said in ("0.05", "0.05", "62.0", "agreement: 50% of 40 faces", "2000 rows")[number].split(";"):
        assert said in printed


def test_the_changelog_names_the_version() -> None:
    from fer_edge import __version__

    assert f"## {__version__} " in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
