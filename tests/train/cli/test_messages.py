"""The options about messages, which all commands of fer-train and fer-convert have."""

from __future__ import annotations

import json
from pathlib import Path

import click
import cv2
import numpy as np
import pytest

from fer_convert.cli.main import cli as convert_cli
from fer_train.cli.main import cli, run

MESSAGE_OPTIONS = {"verbose", "quiet", "log_format"}


def commands() -> list[click.Command]:
    """Return all commands of both programs."""
    assert isinstance(convert_cli, click.Group)
    return [*cli.commands.values(), *convert_cli.commands.values()]


@pytest.mark.parametrize("command", commands(), ids=lambda command: str(command.name))
def test_every_command_has_them(command: click.Command) -> None:
    assert {parameter.name for parameter in command.params} >= MESSAGE_OPTIONS


def test_errors_are_json_objects_if_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(tmp_path / "missing.csv"), "--log-format", "json"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    message = json.loads(line)
    assert message["level"] == "error"
    assert "missing.csv does not exist" in message["message"]


def test_quiet_leaves_out_warnings_and_keeps_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("angry", "happy"):  # too few images of one label, which is a warning
        (tmp_path / "faces" / label).mkdir(parents=True)
        image = np.random.default_rng(0).integers(0, 255, (48, 48), np.uint8)
        assert cv2.imwrite(str(tmp_path / "faces" / label / "1.png"), image)
    assert run(["inspect", str(tmp_path / "faces")]) == 0
    loud = capsys.readouterr()
    assert "Warning: " in loud.err
    assert run(["inspect", str(tmp_path / "faces"), "-q"]) == 0
    assert capsys.readouterr() == (loud.out, "")


def test_verbose_and_quiet_cannot_be_combined(small_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(small_csv), "-v", "-q"]) == 2
    assert "cannot be combined" in capsys.readouterr().err
