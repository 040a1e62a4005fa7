"""``fer-edge models``: the bundled models, and the content of a model's spec."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fer_edge.models.find_model import find_model, list_bundled_models
from fer_edge.models.spec import FER2013_LABELS
from tests.edge.support import FerEdge, replace_spec, run_fer_edge


def test_the_list_shows_accuracy_and_license() -> None:
    done = run_fer_edge("models")
    assert done.returncode == 0
    assert "default" in done.stdout
    assert "PublicTest" in done.stdout
    assert "research" in done.stdout
    rows = done.stdout.splitlines()[1:]
    for row, name in zip(rows, list_bundled_models(), strict=False):
        model = find_model(name)
        assert row.startswith(name)
        assert f"{model.size / 1e6:.2f} MB" in row
        assert f"{100 * model.spec.accuracy['PublicTest']['accuracy']:.2f}% [" in row


@pytest.mark.parametrize("interval", [None, [0.6], ["low", "high"], "0.6"])
def test_a_malformed_interval_is_left_out(interval: object, fer_edge: FerEdge, tmp_path: Path) -> None:
    figures = {"accuracy": 0.7, "samples": 100, "accuracy_interval": interval}
    spec = find_model().spec.replace(accuracy={"PublicTest": figures})
    model = tmp_path / "model.tflite"
    model.write_bytes(find_model().path.read_bytes())
    shown = fer_edge("models", replace_spec(model, spec))
    assert shown.returncode == 0
    assert "70.00% of 100 faces (PublicTest)" in shown.stdout


def test_text_in_a_spec_cannot_control_the_terminal(fer_edge: FerEdge, tmp_path: Path) -> None:
    spec = replace(find_model().spec, provenance={"licence": "free\x1b[31m\nsha256  none"})
    model = tmp_path / "model.tflite"
    model.write_bytes(find_model().path.read_bytes())
    shown = fer_edge("models", replace_spec(model, spec))
    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout
    assert "free\\x1b[31m\\nsha256  none" in shown.stdout


def test_one_model_shows_its_spec(fer_edge: FerEdge) -> None:
    done = fer_edge("models", "default")
    for part in (*FER2013_LABELS, find_model().sha256, "48×48", "int8", "FER-2013"):
        assert part in done.stdout
