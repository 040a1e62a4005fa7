"""Training input: tables, archives and folders of faces, votes, soft labels, view answers, checkpoints, runs."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_train.data.views import VIEWS_VERSION, ViewSettings
from tests.edge.support import noise
from tests.fuzz.case import Kind
from tests.fuzz.kinds.media import portrait
from tests.fuzz.kinds.models import write_keras_model
from tests.fuzz.kinds.mutation import damaged_bytes, damaged_json, damaged_text, names

__all__ = ["TRAINING"]


# --- tables and archives ---


@functools.cache
def _table() -> str:
    rng = np.random.default_rng(0)
    usages = ["Training"] * 4 + ["PublicTest"] * 2 + ["PrivateTest"]
    rows = [
        f"{index % 7},{' '.join(map(str, rng.integers(0, 256, 2304)))},{usage}"
        for index, usage in enumerate(usages)
    ]
    return "\n".join(["emotion,pixels,Usage", *rows]) + "\n"


def _tables() -> SearchStrategy[tuple[str, bytes]]:
    text = _table()
    head = damaged_text(text[:60]).map(lambda damaged: damaged + text[60:])
    tail = damaged_text(text[-60:]).map(lambda damaged: text[:-60] + damaged)
    whole = st.one_of(head, tail, damaged_text(text)).map(
        lambda table: table.encode("utf-8", "surrogatepass")
    )
    plain = whole.map(lambda content: ("fer2013.csv", content))
    packed = st.tuples(whole, st.sampled_from(sorted(_PACKERS))).map(
        lambda value: (value[1], _PACKERS[value[1]](value[0]))
    )
    damaged = st.sampled_from(sorted(_PACKERS)).flatmap(
        lambda name: st.tuples(st.just(name), damaged_bytes(_PACKERS[name](text.encode())))
    )
    return st.one_of(plain, packed, damaged)


def _tar(content: bytes, mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("fer2013/fer2013.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _zip(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("fer2013.csv", content)
    return out.getvalue()


_PACKERS: Final = {
    "fer2013.tar.gz": _tar,
    "fer2013.tar": functools.partial(_tar, mode="w"),
    "fer2013.tar.xz": functools.partial(_tar, mode="w:xz"),
    "fer2013.zip": _zip,
    "stored.zip": functools.partial(_zip, method=zipfile.ZIP_STORED),
    "bzip2.zip": functools.partial(_zip, method=zipfile.ZIP_BZIP2),
    "fer2013.csv.gz": gzip.compress,
}


def _load_table(value: tuple[str, bytes], folder: Path) -> None:
    name, content = value
    path = folder / name
    path.write_bytes(content)
    _load_faces(path, folder)


def _load_faces(path: Path, folder: Path) -> None:
    from fer_train.data.dataset import load_faces

    os.environ["FER_EDGE_CACHE"] = str(folder / "cache")
    once = load_faces(path)
    assert once.pixels.dtype == np.uint8
    assert len(once.pixels) == len(once.labels) == len(once.splits)
    again = load_faces(path)  # from the cache
    assert np.array_equal(once.pixels, again.pixels)


# --- folders ---


def _folders() -> SearchStrategy[list[tuple[bytes, bytes, bytes]]]:
    splits = st.sampled_from([b"train", b"test", b"val", b"Training", b"", b"__MACOSX"]) | names()
    labels = st.sampled_from([b"happy", b"sad", b"Happy", b"0", b"angry"]) | names()
    files = st.sampled_from([b"1.png", b"2.jpg", b"3.PNG", b"x.txt", b".DS_Store"]) | names()
    return st.lists(st.tuples(splits, labels, files), min_size=1, max_size=12)


def _load_folder(entries: list[tuple[bytes, bytes, bytes]], folder: Path) -> None:
    root = folder / "faces"
    root.mkdir()
    image = cv2.imencode(".png", portrait()[:48, :48])[1].tobytes()
    for split, label, name in entries:
        path = root / os.fsdecode(split) / os.fsdecode(label) / os.fsdecode(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image)
        except OSError:  # a name that is both a file and a folder, or too long
            continue
    _load_faces(root, folder)


# --- votes ---


def _votes() -> SearchStrategy[str]:
    header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = "\n".join(f"Training,fer{index:07}.png,4,0,0,1,3,2,0,0,0,0" for index in range(7))
    return damaged_text(f"{header}\n{rows}\n")


def _read_votes(text: str, folder: Path) -> None:
    from fer_train.data.ferplus import read_votes

    path = folder / "votes.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert read_votes(path).ndim == 2


# --- soft labels ---


def _soft_labels() -> SearchStrategy[bytes]:
    keys = np.arange(5, dtype=np.uint64)
    probabilities = np.full((5, 7), 1 / 7, np.float16)
    about = {"labels": list(FER2013_LABELS), "origin": "made here"}

    def build(about: str, keys: Any, probabilities: Any) -> bytes:
        out = io.BytesIO()
        np.savez_compressed(out, keys=keys, probabilities=probabilities, about=np.array(about))
        return out.getvalue()

    odd_arrays = st.sampled_from(
        [
            probabilities * 2,
            probabilities[:3],
            probabilities.astype(np.float64),
            np.array("x"),
            np.zeros((0, 7)),
        ]
    )
    forged = st.builds(build, damaged_json(about), st.just(keys), st.just(probabilities) | odd_arrays)
    return st.one_of(damaged_bytes(build(json.dumps(about), keys, probabilities)), forged)


def _read_soft_labels(content: bytes, folder: Path) -> None:
    from fer_train.objectives.soft_labels import read_soft_labels

    path = folder / "soft.npz"
    path.write_bytes(content)
    soft = read_soft_labels(path, FER2013_LABELS)
    soft.lookup(noise(48, 48)[None, ..., 0])


# --- view answers ---


def _view_answers() -> SearchStrategy[bytes]:
    settings = ViewSettings(strong_count=2, mild_count=1)
    keys, groups = np.arange(5, dtype=np.uint64), np.zeros(5, np.uint8)
    packed = np.zeros((7, 5, 3), np.uint8)
    packed[0] = 255
    about = {
        "labels": list(FER2013_LABELS),
        "temperature": 2.0,
        "seed": 0,
        "settings": settings.as_dict(),
        "views_version": VIEWS_VERSION,
        "origin": "made here",
    }

    def build(about: str, keys: Any, groups: Any, view_answers: Any) -> bytes:
        out = io.BytesIO()
        np.savez_compressed(out, keys=keys, groups=groups, view_answers=view_answers, about=np.array(about))
        return out.getvalue()

    odd_arrays = st.sampled_from(
        [packed + 1, packed[:1], packed[:, :3], packed.astype(np.int64), np.array("x")]
    )
    forged = st.builds(
        build, damaged_json(about), st.just(keys), st.just(groups), st.just(packed) | odd_arrays
    )
    return st.one_of(damaged_bytes(build(json.dumps(about), keys, groups, packed)), forged)


def _read_view_answers(content: bytes, folder: Path) -> None:
    from fer_train.objectives.view_answers import read_view_answers

    path = folder / "answers.npz"
    path.write_bytes(content)
    answers = read_view_answers(path, FER2013_LABELS)
    answers.get_probabilities(0)
    faces = noise(48, 48)[None, ..., 0].repeat(len(answers), axis=0)
    answers.make_views(faces, answers.settings.count - 1)


# --- checkpoints ---


@functools.cache
def _compiled_model() -> Any:
    import tempfile

    import keras

    from fer_train.models.loading import load_keras_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(write_keras_model())
        model = load_keras_model(path, ModelSpec(name="small", labels=FER2013_LABELS, width=48, height=48))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy")
    return model


@functools.cache
def _checkpoint() -> bytes:
    import tempfile

    from fer_train.training.checkpoint import save_checkpoint
    from fer_train.training.history import EpochReport

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.npz"
        save_checkpoint(path, _compiled_model(), [EpochReport(1, 1.9, 0.2, 1.8, 0.3, 0.1, 100.0, 2.0)])
        return path.read_bytes()


def _load_checkpoint(content: bytes, folder: Path) -> None:
    from fer_train.training.checkpoint import load_checkpoint

    path = folder / "checkpoint.npz"
    path.write_bytes(content)
    load_checkpoint(path, _compiled_model())


# --- runs ---


def _run_configs() -> SearchStrategy[tuple[str, str]]:
    write_keras_model()  # load Keras before the first case
    config = {
        "data": "faces",
        "data_sha256": "0",
        "options": {
            "arch": "bn-cnn",
            "recipe": "paper",
            "epochs": 1,
            "batch_size": 50,
            "seed": 0,
            "teachers": [],
        },
        "recipe": {"learning_rate": 0.1},
        "version": "0.1",
    }
    spec = ModelSpec(name="small", labels=FER2013_LABELS, width=48, height=48).as_dict()
    return st.tuples(damaged_json(config), damaged_json(spec))


def _read_run(value: tuple[str, str], folder: Path) -> None:
    from fer_convert.trained_model import find_trained_model

    (folder / "config.json").write_bytes(value[0].encode("utf-8", "surrogatepass"))
    (folder / "spec.json").write_bytes(value[1].encode("utf-8", "surrogatepass"))
    (folder / "model.keras").write_bytes(write_keras_model())
    find_trained_model(folder)


TRAINING: Final[dict[str, Kind]] = {
    "table": Kind(_tables, _load_table, share=2),
    "image-folder": Kind(_folders, _load_folder),
    "votes": Kind(_votes, _read_votes),
    "soft-labels": Kind(_soft_labels, _read_soft_labels),
    "view-answers": Kind(_view_answers, _read_view_answers),
    "checkpoint": Kind(lambda: damaged_bytes(_checkpoint()), _load_checkpoint),
    "run": Kind(_run_configs, _read_run),
}
