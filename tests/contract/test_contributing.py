"""The examples in CONTRIBUTING work as written: one module and one line each."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge.support import read_rows

CONTRIBUTING = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
EXAMPLES = re.findall(
    r"```python\n# (\w+)/(\w+)\.py, and in (\w+): \"(\w+)\"[^\n]*\n(.*?)```",
    CONTRIBUTING.read_text(encoding="utf-8"),
    re.DOTALL,
)
RUNNER = """
import sys
from fer_edge.{room}.registry import {table}
from fer_edge.cli.app import run_command
from fer_edge.cli.main import cli
{table}._entries["{name}"] = "{module}:create_{kind}"
sys.exit(run_command(cli, sys.argv[1:], "fer-edge"))
"""


@pytest.mark.parametrize(("room", "module", "table", "name", "code"), EXAMPLES, ids=[e[3] for e in EXAMPLES])
def test_an_example_works(
    room: str, module: str, table: str, name: str, code: str, portrait_path: Path, tmp_path: Path
) -> None:
    (tmp_path / f"{module}.py").write_text(code)
    kind = room.removesuffix("s")
    (tmp_path / "run.py").write_text(
        RUNNER.format(room=room, table=table, name=name, module=module, kind=kind)
    )
    options = ["-r", "count:n"] if kind == "sink" else ["--detector", name, "-r", "-"]
    done = subprocess.run(
        [sys.executable, "run.py", "image", str(portrait_path), *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if kind == "sink":
        assert (tmp_path / "n").read_text() == "1\n"
    else:
        (row,) = read_rows(done.stdout)
        assert row["faces"][0]["box"] == [128, 172, 256, 256]


def test_there_are_examples() -> None:
    assert {example[3] for example in EXAMPLES} == {"center", "count"}
