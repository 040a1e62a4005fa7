"""The same face, pixel for pixel, in training, conversion and runtime. Where this fails, they have drifted apart."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification import classifier
from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import face_pixels, normalize
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_edge.types import FaceBox

# As Haar finds it in the portrait; taken as it is, whatever crop a model asks for.
FACE = FaceBox(155, 105, 222, 222, is_crop=True)
SPEC = ModelSpec(name="golden", labels=FER2013_LABELS)
PIXELS_SHA256 = "8fad9593cd553b485d76bcca4d64a6bf423daaefd220e31f8beebad6e80f0cab"
INPUT_SHA256 = "85c2d34157c32a92e7610e4efd3ece57931475b92753a4cd7273523d56ed4116"


@pytest.fixture
def pixels(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The face as the runtime cuts it out: uint8 (48, 48, 1)."""
    return face_pixels(portrait, FACE, SPEC)


def digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def test_the_runtime_cuts_out_the_pinned_pixels(pixels: NDArray[np.uint8]) -> None:
    assert (pixels.shape, pixels.dtype) == ((48, 48, 1), np.uint8)
    assert digest(pixels) == PIXELS_SHA256


def test_their_normalisation_is_pinned(pixels: NDArray[np.uint8]) -> None:
    assert digest(normalize(pixels).astype("<f4")) == INPUT_SHA256


def test_training_reads_the_same_pixels_from_a_folder(
    portrait: NDArray[np.uint8], pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    from fer_train.data.dataset import load_faces

    (tmp_path / "train/happy").mkdir(parents=True)
    (tmp_path / "train/sad").mkdir(parents=True)
    cut = portrait[FACE.y : FACE.y + FACE.height, FACE.x : FACE.x + FACE.width]
    for label in ("happy", "sad"):
        assert cv2.imwrite(str(tmp_path / f"train/{label}/face.png"), cut)
    faces = load_faces(tmp_path)
    assert (faces.pixels == pixels[..., 0]).all()


def test_training_shows_the_network_the_same_input(pixels: NDArray[np.uint8]) -> None:
    from fer_train.data.augmentation import Augmentation
    from fer_train.data.batches import Batches

    batches = Batches(
        pixels[None, ..., 0],
        {"emotion": np.eye(7, dtype=np.float32)[:1]},
        batch_size=1,
        augmentation=Augmentation(),
        seed=0,
        epoch=0,
    )
    pictures, _ = batches[0]
    assert digest(pictures.astype("<f4")) == INPUT_SHA256


def test_conversion_calibrates_with_the_same_input(pixels: NDArray[np.uint8]) -> None:
    from fer_convert.tflite.converter import make_calibration_inputs

    _, (shown,) = make_calibration_inputs([pixels, pixels])
    assert shown.shape == (1, 48, 48, 1)
    assert digest(shown.astype("<f4")) == INPUT_SHA256


class Recorder:
    """A real interpreter that remembers what it was fed."""

    def __init__(self, interpreter: Any) -> None:
        self.interpreter = interpreter
        self.fed: list[NDArray[Any]] = []

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        self.fed.append(value.copy())
        self.interpreter.set_tensor(index, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.interpreter, name)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """float32.tflite and int8.tflite of a small network without training."""
    import keras

    from fer_convert.conversion.network import convert_to_tflite
    from fer_convert.tflite.container import embed_spec

    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(inputs)
    x = keras.layers.Dense(len(SPEC.labels))(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, keras.layers.Softmax()(x), name="untrained")
    folder = tmp_path_factory.mktemp("untrained")
    ramp = np.linspace(0, 255, 48 * 48).astype(np.uint8).reshape(1, 48, 48, 1)
    for variant, shown in (("float32", ()), ("int8", ramp)):
        network = convert_to_tflite(model, variant, shown)  # type: ignore[arg-type]
        (folder / f"{variant}.tflite").write_bytes(embed_spec(network, SPEC.replace(variant=variant)))
    return folder


@pytest.mark.parametrize("variant", ["float32", "int8", "bundled"])
def test_the_classifier_feeds_the_interpreter_the_same_input(
    portrait: NDArray[np.uint8], untrained: Path, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_interpreter = classifier.open_interpreter
    recorders: list[Recorder] = []

    def recording(path: Path, threads: int) -> Recorder:
        recorders.append(Recorder(open_interpreter(path, threads)))
        return recorders[-1]

    monkeypatch.setattr(classifier, "open_interpreter", recording)
    model = find_model() if variant == "bundled" else find_model(untrained / f"{variant}.tflite")
    with Classifier(model) as opened:
        opened.classify(portrait, FACE)
    fed = recorders[0].fed[-1]
    assert fed.dtype == (np.float32 if variant == "float32" else np.int8)
    real = fed if variant == "float32" else fed.astype(np.float32) / np.float32(64)
    assert digest(real.astype("<f4")) == INPUT_SHA256
