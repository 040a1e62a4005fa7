"""Shell completion of model names."""

from __future__ import annotations

import click
import pytest
from click.shell_completion import ShellComplete

from fer_convert.cli.main import cli as fer_convert
from fer_edge.cli.main import cli as fer_edge
from fer_train.cli.main import cli as fer_train


@pytest.mark.parametrize(
    ("program", "typed"),
    [
        (fer_edge, ["image", "--model"]),
        (fer_edge, ["camera", "-m"]),
        (fer_edge, ["benchmark", "--model"]),
        (fer_edge, ["models"]),
        (fer_train, ["fit", "--from"]),
        (fer_train, ["evaluate"]),
        (fer_convert, ["verify"]),
    ],
)
def test_bundled_models_and_files_are_offered(program: click.Command, typed: list[str]) -> None:
    def complete(incomplete: str) -> list[tuple[str, str]]:
        shell = ShellComplete(program, {}, "program", "_PROGRAM_COMPLETE")
        return [(item.type, item.value) for item in shell.get_completions(typed, incomplete)]

    assert complete("") == [("plain", "default"), ("plain", "accurate"), ("file", "")]
    assert complete("acc") == [("plain", "accurate"), ("file", "acc")]
    assert complete("models/") == [("file", "models/")]
