"""Dependencies point one way: convert → train → edge, and the runtime stays small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DESKTOP_ONLY = {"tensorflow", "keras", "pandas", "matplotlib"}


def modules(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The top-level packages that a module imports, lazily or not."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("edge/fer_edge", {"fer_train", "fer_convert", "flatbuffers", *DESKTOP_ONLY}),
        ("train/fer_train", {"fer_convert"}),
    ],
)
def test_no_module_imports_against_the_direction(package: str, forbidden: set[str]) -> None:
    assert modules(package)
    wrong = {path.name: sorted(set(imported(path)) & forbidden) for path in modules(package)}
    assert not {name: names for name, names in wrong.items() if names}


@pytest.mark.parametrize(
    "module",
    [
        "fer_edge.classification.classifier",
        "fer_train.data.dataset",
        "fer_train.evaluation.metrics",
        "fer_convert.verification.verify",
        "fer_convert.tflite.attach",
    ],
)
def test_what_runs_on_a_raspberry_pi_imports_nothing_of_the_desktop(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(ran.stdout.split()) & DESKTOP_ONLY
