"""The examples for other people's networks in docs/conversion.md run from Keras to ``fer-edge image``."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification.preprocess import extract_face
from fer_edge.cli.app import run_command
from fer_edge.cli.main import cli as fer_edge
from fer_edge.detectors.haar import FRAMING
from fer_edge.models.spec import ModelSpec
from fer_edge.types import Detection, FaceBox, Frame
from tests.convert.tflite.foreign import build, own_range
from tests.edge.support import read_rows

FerConvert = Callable[..., tuple[int, str, str]]
Pixels = NDArray[np.float64]

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs/conversion.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python\n# ([^\n]*)\n(.*?)```", DOCUMENT, re.DOTALL))
(SPEC,) = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    grown = np.exp(logits - logits.max())
    return np.asarray(grown / grown.sum(), np.float32)


def both(p: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([1 - p, p])


def channels_first() -> Any:
    import keras

    return build((1, 48, 48), front=[keras.layers.Permute((2, 3, 1))])


def several_heads() -> Any:
    import keras

    model = build()
    return keras.Model(model.input, [model.output, keras.layers.Dense(2)(model.layers[-2].output)])


def plain(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return scores


# By the first words of an example: the trained network, its input from pixels 0…255, its scores from its
# output, and the other fields of its spec.
CASES: dict[str, tuple[Callable[[], Any], Callable[[Pixels], Pixels], Callable[..., Any], dict[str, Any]]] = {
    "Trained on 0…1": (build, lambda pixels: pixels / 255, plain, {}),
    "Trained on -1…1": (build, lambda pixels: pixels / 127.5 - 1, plain, {}),
    "Trained on 0…255": (lambda: build(gain=0.3), lambda pixels: pixels, plain, {}),
    "Trained on color images": (
        lambda: build((224, 224, 3)),
        lambda pixels: (pixels / 255 - MEAN) / STD,
        plain,
        {"width": 224, "height": 224, "color": "rgb"},
    ),
    "Ends in logits": (lambda: build(end=None), own_range, softmax, {}),
    "Takes its channels first": (
        channels_first,
        lambda pixels: own_range(pixels).transpose(2, 0, 1),
        plain,
        {},
    ),
    "Has several heads": (several_heads, own_range, plain, {}),
    "Ends in one sigmoid": (
        lambda: build(end="sigmoid", labels=1, gain=3.0),
        own_range,
        both,
        {"labels": ("calm", "smiling")},
    ),
}


def test_every_example_has_a_case() -> None:
    titles = [title for title in EXAMPLES if title != "Convert"]
    assert len(titles) == len(CASES)
    assert all(any(title.startswith(case) for title in titles) for case in CASES)


@pytest.mark.parametrize("case", CASES)
def test_an_example_runs_from_keras_to_the_scores_of_an_image(
    case: str,
    portrait_path: Path,
    tmp_path: Path,
    fer_convert: FerConvert,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import keras

    make, scale, read, changes = CASES[case]
    theirs = make()
    spec = ModelSpec.from_json(SPEC).replace(**changes)
    monkeypatch.chdir(tmp_path)
    Path("spec.json").write_text(spec.to_json())
    names = {"keras": keras, "model": theirs}
    (example,) = [code for title, code in EXAMPLES.items() if title.startswith(case)]
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(example + EXAMPLES["Convert"], case, "exec"), names)
    status, out, err = fer_convert("attach", "theirs.tflite", "--spec", "spec.json")
    assert (status, err) == (0, "")
    assert "now has the model spec of theirs (float32)" in out

    arguments = ["image", str(portrait_path), "--model", "theirs.tflite", "--results", "-"]
    assert run_command(fer_edge, arguments, "fer-edge") == 0
    (row,) = read_rows(capfd.readouterr().out)
    (face,) = row["faces"]
    image = cv2.imread(str(portrait_path))
    assert image is not None
    pixels = extract_face(
        Frame(np.asarray(image, np.uint8)), Detection(FaceBox(*face["box"]), framing=FRAMING), spec
    )
    predicted = theirs.predict(scale(pixels.astype(float))[None].astype(np.float32), verbose=0)
    expected = read((predicted[0] if isinstance(predicted, list) else predicted)[0])
    found = [face["scores"][label] for label in spec.labels]
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert float(np.ptp(found)) > 0.05, "so that the comparison says something"


def test_the_spec_of_the_document_is_read_as_it_stands() -> None:
    assert ModelSpec.from_json(SPEC).as_dict().items() >= json.loads(SPEC).items()
