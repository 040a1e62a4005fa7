"""``fer-convert`` itself: its help, and the imports needed to show it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

FerConvert = Callable[..., tuple[int, str, str]]
RunAndListImports = Callable[..., tuple[subprocess.CompletedProcess[str], set[str]]]
DESKTOP_ONLY = {"tensorflow", "keras", "pandas", "matplotlib", "jax", "torch"}


def test_the_command_itself_imports_little(run_and_list_imports: RunAndListImports) -> None:
    ran, imported = run_and_list_imports("--help")
    assert ran.returncode == 0
    assert not imported & (DESKTOP_ONLY | {"ai_edge_litert"})


def test_help_explains_every_form_and_option(fer_convert: FerConvert) -> None:
    status, out, _ = fer_convert("--help")
    assert status == 0
    for word in (
        "RUN --out DIR",
        "verify FILE",
        "attach FILE",
        "--max-drop",
        "--samples",
        "--formats",
        "--seed",
    ):
        assert word in out
    for command in ("verify", "attach"):
        assert "--debug" in fer_convert(command, "--help")[1]
