"""Imports inside fer_train go one way, those for types alone and inside functions included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "train/fer_train"
LAYERS = ("", "data", "models", "objectives", "evaluation", "training", "cli")
"""Folders; each imports from those before it and from itself."""


def name_of(path: Path) -> str:
    return ".".join(("fer_train", *path.relative_to(PACKAGE).with_suffix("").parts))


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py"}


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            candidates = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            yield from candidates & set(MODULES)


GRAPH = {name: set(imports_of(path)) for name, path in MODULES.items()}


def folder_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 2 else ""


def test_folders_import_from_lower_layers_only() -> None:
    entry = {"fer_train.__main__"}  # starts the command line
    wrong = [
        f"{name} imports {other}"
        for name, others in GRAPH.items()
        if name not in entry
        for other in others
        if LAYERS.index(folder_of(other)) > LAYERS.index(folder_of(name))
    ]
    assert not wrong


def test_there_is_no_circle() -> None:
    TopologicalSorter(GRAPH).prepare()
