"""Models as untrusted input: TFLite files with appended files, detector files, Keras networks."""

from __future__ import annotations

import functools
import io
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fer_edge.classification.classifier import Classifier
from fer_edge.detectors.registry import create_detector
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, SPEC_FILE, ModelSpec
from fer_edge.types import Detection, FaceBox, Frame
from tests.fuzz.case import Kind
from tests.fuzz.kinds.media import portrait
from tests.fuzz.kinds.mutation import damaged_bytes, damaged_json

__all__ = ["MODELS", "write_keras_model"]


# --- TFLite files ---


@functools.cache
def _network_and_appendix() -> tuple[bytes, bytes]:
    content = find_model().path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = min(member.header_offset for member in archive.infolist())
    return content[:start], content[start:]


def _models() -> SearchStrategy[bytes]:
    network, appendix = _network_and_appendix()
    head = damaged_bytes(network[:4096]).map(lambda damaged: damaged + network[4096:] + appendix)
    tail = damaged_bytes(network[-60_000:]).map(lambda damaged: network[:-60_000] + damaged + appendix)
    appended = damaged_bytes(appendix).map(lambda damaged: network + damaged)
    return st.one_of(damaged_bytes(network + appendix), head, tail, tail, appended, _with_spec(network))


def _with_spec(network: bytes) -> SearchStrategy[bytes]:
    def build(spec: str, method: int, extra: int, stated: int | None) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", method) as archive:
            archive.writestr(SPEC_FILE, spec.encode("utf-8", "surrogatepass"))
            archive.writestr("labels.txt", b"0" * extra)
            if stated is not None:  # in the archive's directory, which is written last
                for member in archive.infolist():
                    member.file_size = stated
        return network + content.getvalue()

    methods = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    return st.builds(
        build,
        damaged_json(find_model().spec.as_dict()),
        methods,
        st.sampled_from([0, 10, 50_000_000]),
        st.sampled_from([None, None, 1000, 2**31]),
    )


def _classify(content: bytes, folder: Path) -> None:
    path = folder / "model.tflite"
    path.write_bytes(content)
    with Classifier(path) as classifier:
        scores = classifier.classify(Frame(portrait()), Detection(FaceBox(20, 20, 80, 80)))
        assert len(scores.values) == len(classifier.spec.labels)
        assert np.isfinite(scores.values).all()
        assert abs(sum(scores.values) - 1) < 1e-3


# --- detector files ---

_YUNET: Final = os.environ.get("FER_YUNET_MODEL", "")


def _detector_models() -> SearchStrategy[bytes]:
    content = Path(_YUNET).read_bytes()
    return st.one_of(
        damaged_bytes(content), damaged_bytes(content[:3000]).map(lambda head: head + content[3000:])
    )


def _detect(content: bytes, folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(content)
    detector = create_detector("yunet", model=path)
    try:
        frame = Frame(portrait())
        for detection in detector.detect(frame):
            box = detection.box
            assert 0 <= box.x <= box.x + box.width <= frame.gray.shape[1]
    finally:
        detector.close()


# --- Keras networks ---


@functools.cache
def write_keras_model() -> bytes:
    """Save a small network of fer-train with Keras."""
    import keras

    model = keras.Sequential(
        [
            keras.layers.Input((48, 48, 1)),
            keras.layers.Conv2D(2, 5, strides=4),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(7, activation="softmax"),
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def _keras_files() -> SearchStrategy[bytes]:
    content = write_keras_model()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])

    def build(text: str) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, part in files.items():
                archive.writestr(
                    name, text.encode("utf-8", "surrogatepass") if name == "config.json" else part
                )
        return out.getvalue()

    return st.one_of(damaged_bytes(content), damaged_json(config).map(build))


def _load_keras(content: bytes, folder: Path) -> None:
    from fer_train.models.loading import load_keras_model

    path = folder / "model.keras"
    path.write_bytes(content)
    load_keras_model(path, ModelSpec(name="small", labels=FER2013_LABELS, width=48, height=48))


def _kinds() -> dict[str, Kind]:
    kinds: dict[str, Any] = {
        "tflite": Kind(_models, _classify, share=3),
        "keras": Kind(_keras_files, _load_keras, batch=25, share=0.5),
    }
    if _YUNET:
        kinds["yunet"] = Kind(_detector_models, _detect, share=0.5)
    return kinds


MODELS: Final[dict[str, Kind]] = _kinds()
