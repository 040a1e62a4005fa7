"""A small data set of synthetic faces, a small network trained on it, and its conversion."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.models.spec import FER2013_LABELS, ModelSpec

FACE_IN_PORTRAIT = (slice(105, 327), slice(155, 377))  # rows and columns of Haar's box
SPLIT_SIZES = {"Training": 420, "PublicTest": 70}
SPOTS = ((0, 0), (20, 0), (41, 0), (0, 41), (20, 41), (41, 41), (0, 20))  # by label; they cover no eye
BLANK, NOISE = 3, 4  # the first BLANK images of Training are plain gray, the next NOISE are noise


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore the deprecation warnings in TensorFlow's own code."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:(tensorflow|keras|google)"))


@pytest.fixture(scope="session")
def drawn_faces(portrait_path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """Return pixels (n, 48, 48), labels and splits: one face in varying light, with a bright spot per emotion."""
    gray = cv2.imread(str(portrait_path), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    face = cv2.resize(gray[FACE_IN_PORTRAIT], (48, 48), interpolation=cv2.INTER_AREA).astype(np.float32)
    generator = np.random.default_rng(0)
    pixels, labels, splits = [], [], []
    for split, size in SPLIT_SIZES.items():
        for index in range(size):
            label = index % len(FER2013_LABELS)
            image = (face - 128) * generator.uniform(0.6, 1.0) + 128 + generator.normal(0, 4, (48, 48))
            x, y = SPOTS[label]
            image[y : y + 7, x : x + 7] = 250
            if split == "Training" and index < BLANK + NOISE:
                image = generator.uniform(0, 255, (48, 48)) if index >= BLANK else np.full((48, 48), 90.0)
            pixels.append(np.clip(image, 0, 255).astype(np.uint8))
            labels.append(label)
            splits.append(split)
    return np.stack(pixels), np.array(labels), splits


def write_data(path: Path, rows: list[list[Any]]) -> Path:
    """Write rows of emotion, pixels and usage in Kaggle's packaging."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["emotion", "pixels", "Usage"], *rows])
    content = text.getvalue().encode()
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        entry = tarfile.TarInfo("fer2013/fer2013.csv")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture(name="write_data")
def _write_data() -> Callable[[Path, list[list[Any]]], Path]:
    return write_data


@pytest.fixture(scope="session")
def data_rows(drawn_faces: tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]) -> list[list[Any]]:
    """Return the synthetic faces as rows of fer2013.csv."""
    return [
        [int(label), " ".join(map(str, image.ravel().tolist())), split]
        for image, label, split in zip(*drawn_faces, strict=True)
    ]


@pytest.fixture(scope="session")
def data_path(tmp_path_factory: pytest.TempPathFactory, data_rows: list[list[Any]]) -> Path:
    """Return the path of the synthetic faces as a data set."""
    return write_data(tmp_path_factory.mktemp("data") / "fer2013.tar.gz", data_rows)


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    """Return the model spec of the small network."""
    return ModelSpec(
        name="tiny",
        labels=FER2013_LABELS,
        provenance={"data": "drawn", "licence": "public domain", "author": "the tests"},
    )


@pytest.fixture(scope="session")
def run_folder(
    tmp_path_factory: pytest.TempPathFactory,
    drawn_faces: tuple[NDArray[np.uint8], NDArray[np.int64], list[str]],
    data_path: Path,
    spec: ModelSpec,
) -> Path:
    """Train a network of 3,000 parameters for a few seconds, with batch norm and standardization."""
    import keras
    from keras import layers

    from fer_edge.classification.preprocess import normalize
    from fer_train.models.layers import PerImageStandardization

    keras.utils.set_random_seed(0)
    inputs = keras.Input((48, 48, 1), name="image")
    x = PerImageStandardization(60.0, name="standardize")(inputs)
    for index, filters in enumerate((8, 16), start=1):
        x = layers.Conv2D(filters, 5, strides=2, use_bias=False, name=f"conv{index}")(x)
        x = layers.BatchNormalization(momentum=0.8, name=f"bn{index}")(x)
        x = layers.ReLU(name=f"relu{index}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{index}")(x)
    x = layers.Dropout(0.1, name="dropout")(layers.Flatten(name="flatten")(x))
    x = layers.Dense(len(spec.labels), name="logits")(x)
    model = keras.Model(inputs, layers.Softmax(name="emotion")(x), name="tiny")
    model.compile(keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy")
    pixels, labels, splits = drawn_faces
    training = np.array(splits) == "Training"
    model.fit(normalize(pixels[training])[..., None], labels[training], batch_size=30, epochs=8, verbose=0)

    folder = tmp_path_factory.mktemp("run")
    model.save(folder / "model.keras")
    (folder / "spec.json").write_text(spec.to_json())
    (folder / "config.json").write_text(json.dumps({"data": str(data_path)}))
    return folder


@pytest.fixture
def degraded_run(run_folder: Path, tmp_path: Path) -> Path:
    """Return a run whose never-predicted label has a logit that stretches the int8 range too far."""
    import keras

    folder = Path(shutil.copytree(run_folder, tmp_path / "degraded"))
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    bias = model.get_layer("logits").bias
    bias.assign([-3000.0, *bias[1:]])
    model.save(folder / "model.keras")
    return folder


FORMATS = ("float32", "float16", "dynamic", "int8")


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory, run_folder: Path) -> Path:
    """Run ``fer-convert``; return its output folder with all four formats, the report and the plots."""
    from fer_convert.cli.main import run

    out = tmp_path_factory.mktemp("converted") / "models"
    assert run([str(run_folder), "--out", str(out), "--formats", ",".join(FORMATS), "--samples", "42"]) == 0
    return out


@pytest.fixture(scope="session")
def report(converted: Path) -> dict[str, Any]:
    """Return the content of ``conversion.json``."""
    content: dict[str, Any] = json.loads((converted / "conversion.json").read_text())
    return content


@pytest.fixture
def fer_convert(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command line in this process: (exit status, stdout, stderr)."""
    from fer_convert.cli.main import run

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capfd.readouterr()  # discard TensorFlow's output from creating a network
        status = run([str(argument) for argument in arguments])
        return status, *capfd.readouterr()

    return call


@pytest.fixture
def foreign(converted: Path, tmp_path: Path) -> Path:
    """Return the path of a network without a model spec, as other programs write it."""
    from fer_convert.tflite.container import extract_network

    path = tmp_path / "foreign.tflite"
    path.write_bytes(extract_network((converted / "int8.tflite").read_bytes()))
    return path


@pytest.fixture
def run_and_list_imports() -> Callable[..., tuple[subprocess.CompletedProcess[str], set[str]]]:
    """Return a function that runs ``fer-convert`` in a subprocess and lists the packages it imported."""
    code = (
        "import sys\nfrom fer_convert.cli.main import run\n"
        "status = run(sys.argv[1:])\n"
        "print('IMPORTED', *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
        "sys.exit(status)"
    )

    def call(*arguments: str | Path) -> tuple[subprocess.CompletedProcess[str], set[str]]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        (line,) = [line for line in ran.stderr.splitlines() if line.startswith("IMPORTED")]
        return ran, set(line.split()[1:])

    return call
