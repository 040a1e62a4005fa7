"""A model spec is read as it was written, or rejected with a reason."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fer_edge.errors import ContractError
from fer_edge.models.spec import FER2013_LABELS, SPEC_FILE, Crop, ModelSpec, read_spec

SPEC = ModelSpec(
    name="own",
    labels=("content", "émue"),
    width=64,
    height=56,
    color="rgb",
    interpolation="linear",
    crop=Crop(margin=0.1, square=False, shift_y=-0.05),
    variant="int8",
    accuracy={"PublicTest": {"accuracy": 0.5, "samples": 10}},
    provenance={"data": "own"},
)


def test_spec_survives_json() -> None:
    assert ModelSpec.from_json(SPEC.to_json()) == SPEC


def test_provenance_may_name_files_that_are_not_text() -> None:
    spec = SPEC.replace(provenance={"data": "bad\udcff"})
    assert "bad\\udcff" in spec.to_json().encode().decode()
    assert ModelSpec.from_json(spec.to_json().encode()) == spec


def test_a_spec_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    long = SPEC.replace(provenance={"text": "é" * 600_000})
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"deeper": deep}
    for spec, reason in ((long, "at most 1,048,576 bytes"), (SPEC.replace(provenance=deep), "too deeply")):
        with pytest.raises(ContractError, match=reason):
            spec.to_json()
    (tmp_path / "spec.json").write_text(json.dumps(long.as_dict(), ensure_ascii=False), "utf-8")
    with pytest.raises(
        ContractError, match=r"spec\.json: the model spec is invalid: .* at most 1,048,576 bytes"
    ):
        read_spec(tmp_path / "spec.json")


def test_label_order_is_fer2013s() -> None:
    assert FER2013_LABELS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": ("one",)}, "2 to 100 labels"),
        ({"labels": tuple(f"l{i}" for i in range(101))}, "2 to 100 labels"),
        ({"labels": ("same", "same")}, "distinct labels"),
        ({"labels": ("fine", "score")}, "not names of result columns"),
        ({"labels": ("fine", "with,comma")}, "without commas"),
        ({"labels": ("fine", "two\nlines")}, "without commas"),
        ({"labels": ("fine", " blank")}, "surrounding spaces"),
        ({"labels": ("fine", "bad\udcff")}, "UTF-8 characters"),
        ({"labels": ("fine", "two\u2028lines")}, "control characters"),
        ({"name": "bad\ud800"}, "a name of 1 to 80 UTF-8 characters"),
        ({"name": "\x1b[31mred"}, "without control characters"),
        ({"name": "two\nlines"}, "without control characters"),
        ({"width": 4}, "input side"),
        ({"height": True}, "input side"),
        ({"color": "bgr"}, "color as one of gray, rgb"),
        ({"interpolation": "nearest"}, "interpolation as one of"),
        ({"variant": "int4"}, "variant as one of"),
        ({"crop": Crop(margin=float("nan"))}, "crop margin"),
        ({"crop": Crop(shift_y=7)}, "crop shift"),
        ({"name": ""}, "a name"),
    ],
)
def test_an_invalid_field_is_named(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ContractError, match=reason):
        SPEC.replace(**change)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "expected a JSON object, got None"),
        ([], r"expected a JSON object, got \[\]"),
        (SPEC.as_dict() | {"input": 3}, "expected input as an object, got 3"),
        (SPEC.as_dict() | {"preprocessing": []}, "expected preprocessing as an object"),
    ],
)
def test_something_other_than_an_object_is_named(data: Any, reason: str) -> None:
    with pytest.raises(ContractError, match=reason):
        ModelSpec.from_dict(data)


@pytest.mark.parametrize("field", ["spec_version", "name", "labels", "input", "preprocessing", "variant"])
def test_a_missing_field_is_named(field: str) -> None:
    data = SPEC.as_dict()
    del data[field]
    with pytest.raises(ContractError, match=field):
        ModelSpec.from_dict(data)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", '"text"', "{", "[" * 100_000, '{"spec_version": 1, "input": 3, "preprocessing": 4}'],
)
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(ContractError):
        ModelSpec.from_json(text)


def test_another_normalization_is_refused() -> None:
    data = SPEC.as_dict()
    data["preprocessing"]["normalization"] = {"mean": 0, "scale": 255}
    with pytest.raises(ContractError, match="normalization"):
        ModelSpec.from_dict(data)


def test_spec_is_read_from_a_file_with_an_appended_archive(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"not looked at" * 100)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(SPEC_FILE, SPEC.to_json())
    assert read_spec(path) == SPEC


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x00" * 1000, b"PK\x05\x06" + b"\x00" * 18])
def test_a_file_without_a_spec_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "smile.tflite"
    path.write_bytes(content)
    with pytest.raises(ContractError, match=r"smile\.tflite: the model contains no model spec") as raised:
        read_spec(path)
    assert raised.value.hint == "add a spec with: fer-convert attach FILE --spec SPEC"


def test_a_bloated_spec_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tflite"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SPEC_FILE, b" " * (64 << 20))
    with pytest.raises(ContractError, match="at most"):
        read_spec(path)


def test_an_encrypted_or_broken_entry_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(SPEC_FILE, SPEC.to_json())
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF  # inside the stored text, so its checksum no longer matches
    path.write_bytes(content)
    with pytest.raises(ContractError, match=r"broken\.tflite"):
        read_spec(path)


def test_spec_json_is_written_for_people_too() -> None:
    assert json.loads(SPEC.to_json())["labels"] == ["content", "émue"]
    assert "émue" in SPEC.to_json()
