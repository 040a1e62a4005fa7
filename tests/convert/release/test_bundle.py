"""``make bundle``: which runs become the model that fer-edge bundles, and its card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import fer_edge.models
from fer_convert.release.bundle import bundle
from fer_edge.cli.app import run_command
from fer_edge.models.spec import read_spec

Bundle = Callable[..., tuple[int, str, str]]


@pytest.fixture
def make_bundle(capfd: pytest.CaptureFixture[str]) -> Bundle:
    """Runs ``python -m fer_convert.release.bundle`` in this process: (exit status, stdout, stderr)."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        status = run_command(bundle, [str(argument) for argument in arguments], "bundle")
        return status, *capfd.readouterr()

    return call


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the bundled models in a checkout that may be changed."""
    folder = tmp_path / "checkout/edge/fer_edge/models"
    folder.mkdir(parents=True)
    (tmp_path / "checkout/pyproject.toml").touch()
    (folder / "default.tflite").write_text("the model so far")
    monkeypatch.setattr(fer_edge.models, "__file__", str(folder / "__init__.py"))
    return folder


def test_a_run_becomes_the_bundled_model_with_its_card(
    run_folder: Path, checkout: Path, make_bundle: Bundle
) -> None:
    status, out, _ = make_bundle(run_folder)
    assert status == 0
    assert "Now bundled" in out
    assert sorted(path.name for path in checkout.iterdir()) == [
        "default.answers.json",
        "default.md",
        "default.tflite",
    ]
    answers = json.loads((checkout / "default.answers.json").read_text())
    assert sum(answers.values()) == pytest.approx(1, abs=0.01)
    spec = read_spec(checkout / "default.tflite")
    assert spec.variant == "int8"
    assert spec.accuracy["PublicTest"]["samples"] == 70
    card = (checkout / "default.md").read_text()
    assert card.startswith("# tiny, int8")
    accuracy = spec.accuracy["PublicTest"]["accuracy"]
    digest = hashlib.sha256((checkout / "default.tflite").read_bytes()).hexdigest()
    for fact in (
        digest,
        f"{100 * accuracy:.2f} %",
        "70 faces",
        "fer-convert verify default",
        "public domain",
    ):
        assert fact in card
    assert str(run_folder) not in card, "a card names no path of the machine it was made on"


def test_a_run_that_int8_costs_too_much_leaves_the_bundled_model_alone(
    degraded_run: Path, checkout: Path, make_bundle: Bundle
) -> None:
    status, _, err = make_bundle(degraded_run)
    assert status == 3
    assert "accuracy on PublicTest dropped by" in err
    assert "the bundled model stays as it is" in err
    assert [path.read_text() for path in checkout.iterdir()] == ["the model so far"]


def test_an_installed_copy_is_refused(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_bundle: Bundle
) -> None:
    installed = tmp_path / "site-packages/fer_edge/models"
    installed.mkdir(parents=True)
    monkeypatch.setattr(fer_edge.models, "__file__", str(installed / "__init__.py"))
    status, _, err = make_bundle(run_folder)
    assert status == 1
    assert "not a source checkout of fer-edge but an installed copy" in err
