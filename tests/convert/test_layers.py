"""The layers of fer_convert: imports point one way, and neither modules nor folders import in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "convert/fer_convert"
LAYERS = (
    {"progress", "formatting"},
    {"keras_graph", "tflite", "trained_model"},
    {"quantization"},
    {"verification"},
    {"conversion"},
    {"options"},
    {"cli", "release"},
    {"__main__"},
)
"""The folders and modules of fer_convert; each imports only from the layers before its own."""
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported_modules(path: Path) -> Iterator[str]:
    """The modules of fer_convert that a module imports, lazily and for types included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for name in node.names:
                submodule = f"{node.module}.{name.name}"
                yield submodule if submodule in MODULES else str(node.module)


GRAPH = {name: set(imported_modules(path)) for name, path in MODULES.items()}


def room(module: str) -> str:
    """The folder or module directly below fer_convert."""
    return module.split(".")[1]


def test_every_module_belongs_to_a_layer() -> None:
    assert {room(name) for name in MODULES if "." in name} == set(RANK)


@pytest.mark.parametrize("module", [name for name in MODULES if "." in name])
def test_imports_point_to_earlier_layers(module: str) -> None:
    others = {name for name in GRAPH[module] if room(name) != room(module)}
    assert not {name for name in others if RANK[room(name)] >= RANK[room(module)]}


def test_modules_do_not_import_in_a_circle() -> None:
    assert len(list(TopologicalSorter(GRAPH).static_order())) == len(MODULES)
