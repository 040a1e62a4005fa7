"""The diagrams and the table of the architecture match the layers enforced by the import tests."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from docs.images.make_architecture import STAGES, Stage, draw_data, draw_layers
from fer_edge import types
from fer_edge.rendering import view
from tests.contract.test_imports import LAYERS

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("name", "draw"), [("layers.svg", draw_layers), ("data.svg", draw_data)])
def test_a_diagram_matches_the_output_of_its_command(name: str, draw: object) -> None:
    assert callable(draw)
    kept = (REPOSITORY / "docs/images" / name).read_text(encoding="utf-8")
    assert kept == draw(), "draw it again: python -m docs.images.make_architecture"


@pytest.mark.parametrize("stage", STAGES, ids=[stage.worker for stage in STAGES])
def test_stages_and_their_output_types_exist(stage: Stage) -> None:
    assert hasattr(importlib.import_module(stage.module), stage.worker)
    assert not stage.gives or hasattr(types, stage.gives) or hasattr(view, stage.gives)


def test_the_architecture_table_lists_the_layers_in_order() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| layer, lowest first |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)/?`", line.split("|")[1]) for line in table.splitlines()[2:]]
    layers = [
        [room for room in layer.split(" | ") if not room.startswith("_")]
        for layer in LAYERS["fer_edge"]
        if layer != "__main__"
    ]
    assert [sorted(row) for row in rows] == [sorted(layer) for layer in layers]
