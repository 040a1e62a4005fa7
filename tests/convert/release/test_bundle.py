"""``make bundle``: which runs can become bundled models, and their cards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import fer_edge.models
from fer_convert.release.bundle import LARGEST_BYTES, bundle
from fer_edge.cli.app import run_command
from fer_edge.models.spec import read_spec

Bundle = Callable[..., tuple[int, str, str]]


@pytest.fixture
def make_bundle(capfd: pytest.CaptureFixture[str]) -> Bundle:
    """Return a function that runs ``fer_convert.release.bundle`` in this process: (exit status, stdout, stderr)."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        status = run_command(bundle, [str(argument) for argument in arguments], "bundle")
        return status, *capfd.readouterr()

    return call


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of bundled models in a modifiable copy of the checkout."""
    folder = tmp_path / "checkout/edge/fer_edge/models"
    folder.mkdir(parents=True)
    (tmp_path / "checkout/pyproject.toml").touch()
    (folder / "default.tflite").write_text("the model so far")
    monkeypatch.setattr(fer_edge.models, "__file__", str(folder / "__init__.py"))
    return folder


@pytest.mark.parametrize(("arguments", "name"), [((), "default"), (("--name", "accurate"), "accurate")])
def test_a_run_becomes_a_bundled_model_with_its_card(
    arguments: tuple[str, ...], name: str, run_folder: Path, checkout: Path, make_bundle: Bundle
) -> None:
    status, out, _ = make_bundle(run_folder, *arguments, "--samples", 70)
    assert status == 0
    assert f"Now bundled as {name}" in out
    written = {f"{name}.answers.json", f"{name}.md", f"{name}.tflite"}
    assert {path.name for path in checkout.iterdir()} == written | {"default.tflite"}
    answers = json.loads((checkout / f"{name}.answers.json").read_text())
    assert sum(answers.values()) == pytest.approx(1, abs=0.01)
    spec = read_spec(checkout / f"{name}.tflite")
    assert (spec.variant, spec.provenance["calibration"]["samples"]) == ("int8", 70)
    measured = spec.accuracy["PublicTest"]
    assert measured["samples"] == 70
    low, high = (f"{100 * bound:.1f}" for bound in measured["accuracy_interval"])
    card = (checkout / f"{name}.md").read_text()
    assert card.startswith(f"# tiny, int8: the {name} model")
    for fact in (
        hashlib.sha256((checkout / f"{name}.tflite").read_bytes()).hexdigest(),
        f"{100 * measured['accuracy']:.2f} % | {low}–{high} %",
        "with mirror images averaged |",
        "(McNemar, p = ",
        "| surprise | 10 |",
        "70 faces",
        f"fer-convert verify {name}",
        "public domain",
    ):
        assert fact in card
    assert str(run_folder) not in card, "a card names no path of the machine it was made on"


def test_a_file_that_is_too_large_to_be_bundled_is_refused(
    run_folder: Path, checkout: Path, make_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LARGEST_BYTES, "accurate", 1000)
    status, _, err = make_bundle(run_folder, "--name", "accurate", "--samples", 70)
    assert status == 1
    assert "exceed the limit of 1,000 for accurate; the bundled model was not replaced" in err
    assert [path.read_text() for path in checkout.iterdir()] == ["the model so far"]


def test_a_run_that_int8_costs_too_much_leaves_the_bundled_model_alone(
    degraded_run: Path, checkout: Path, make_bundle: Bundle
) -> None:
    status, _, err = make_bundle(degraded_run)
    assert status == 3
    assert "accuracy on PublicTest dropped by" in err
    assert "the bundled model was not replaced" in err
    assert [path.read_text() for path in checkout.iterdir()] == ["the model so far"]


def test_an_installed_copy_is_refused(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_bundle: Bundle
) -> None:
    installed = tmp_path / "site-packages/fer_edge/models"
    installed.mkdir(parents=True)
    monkeypatch.setattr(fer_edge.models, "__file__", str(installed / "__init__.py"))
    status, _, err = make_bundle(run_folder)
    assert status == 1
    assert "an installed copy of fer-edge, not a source checkout" in err
