"""The same face gives the same pixels in training, conversion and runtime; a failure means they have diverged.

Between the packages, the pixels are equal. They match the stored face within the rounding differences of decoders
and resizers between machines.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification import classifier
from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import extract_face, normalize
from fer_edge.detectors.full_frame import EXACT
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_edge.types import Detection, FaceBox, Frame, Image

GOLDEN = Path(__file__).parents[1] / "data/golden_face.png"
# The box that Haar finds in the portrait; EXACT framing keeps it whatever crop a model asks for.
BOX = FaceBox(155, 105, 222, 222)
FACE = Detection(BOX, framing=EXACT)
SPEC = ModelSpec(name="golden", labels=FER2013_LABELS)


@pytest.fixture
def pixels(portrait: Image) -> NDArray[np.uint8]:
    """Return the face as cropped by the runtime, uint8 (48, 48, 1)."""
    return extract_face(Frame(portrait), FACE, SPEC)


@pytest.fixture
def network_input(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the network input for the face, float32 (48, 48, 1)."""
    return normalize(pixels)


def test_the_runtime_crops_the_stored_pixels(pixels: NDArray[np.uint8]) -> None:
    assert (pixels.shape, pixels.dtype) == ((48, 48, 1), np.uint8)
    stored = cv2.imread(str(GOLDEN), cv2.IMREAD_GRAYSCALE)
    assert stored is not None
    difference = np.abs(pixels[..., 0].astype(int) - stored)
    assert difference.mean() < 0.5
    assert difference.max() <= 3


def test_pixels_are_normalized_by_minus_128_over_64(
    pixels: NDArray[np.uint8], network_input: NDArray[np.float32]
) -> None:
    assert network_input.dtype == np.float32
    assert np.array_equal(network_input * 64 + 128, pixels)


def test_training_reads_the_same_pixels_from_a_folder(
    portrait: Image, pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    from fer_train.data.dataset import load_faces

    cut = portrait[BOX.y : BOX.y + BOX.height, BOX.x : BOX.x + BOX.width]
    for label in ("happy", "sad"):
        (tmp_path / "train" / label).mkdir(parents=True)
        assert cv2.imwrite(str(tmp_path / "train" / label / "face.png"), cut)
    faces = load_faces(tmp_path)
    assert len(faces.pixels) == 2
    assert (faces.pixels == pixels[..., 0]).all()


def test_training_shows_the_network_the_same_input(
    pixels: NDArray[np.uint8], network_input: NDArray[np.float32]
) -> None:
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
    images, _ = batches[0]
    assert np.array_equal(images[0], network_input)


def test_conversion_calibrates_with_the_same_input(
    pixels: NDArray[np.uint8], network_input: NDArray[np.float32]
) -> None:
    from fer_convert.tflite.converter import make_calibration_inputs

    _, (shown,) = make_calibration_inputs([pixels, pixels])
    assert shown.shape == (1, 48, 48, 1)
    assert np.array_equal(shown[0], network_input)


class Recorder:
    """A real interpreter that records its inputs."""

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
    """Write float32.tflite and int8.tflite of a small untrained network."""
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
    portrait: Image,
    network_input: NDArray[np.float32],
    variant: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_interpreter = classifier.open_interpreter
    recorders: list[Recorder] = []

    def recording(path: Path, threads: int) -> Recorder:
        recorders.append(Recorder(open_interpreter(path, threads)))
        return recorders[-1]

    monkeypatch.setattr(classifier, "open_interpreter", recording)
    if variant == "bundled":
        model = find_model()
    else:
        model = find_model(request.getfixturevalue("untrained") / f"{variant}.tflite")
    with Classifier(model) as opened:
        opened.classify(Frame(portrait), FACE)
    fed = recorders[0].fed[-1]
    assert fed.dtype == (np.float32 if variant == "float32" else np.int8)
    real = fed if variant == "float32" else fed.astype(np.float32) / np.float32(64)
    assert np.array_equal(real[0], network_input)


@pytest.mark.parametrize("tilt", [-30.0, 12.0])
def test_a_tilted_face_gives_nearly_the_stored_pixels(tilt: float, portrait: Image) -> None:
    """The portrait is rotated about the face, and the detector reports the tilt through key points."""
    x, y = BOX.center
    turn = cv2.getRotationMatrix2D((x - 0.5, y - 0.5), -tilt, 1.0)
    turned = np.asarray(cv2.warpAffine(portrait, turn, (portrait.shape[1], portrait.shape[0])), np.uint8)
    level = extract_face(Frame(turned), replace(FACE, tilt=tilt), SPEC)
    stored = cv2.imread(str(GOLDEN), cv2.IMREAD_GRAYSCALE)
    assert stored is not None
    assert np.abs(level[..., 0].astype(int) - stored).mean() < 2.5
