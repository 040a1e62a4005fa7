"""ModelSpec: the contract that travels inside every model file.

Training writes it, conversion copies it into the ``.tflite`` unchanged (adding variant, hashes and
measured accuracy), the runtime obeys it. Nothing is guessed from a file's name, an array's range or a
shape.

The normalisation is the same for every model and therefore not a choice: a pixel p in 0…255 becomes
``(p - 128) / 64``. An int8 input then has scale 1/64 and zero point 0, so that the quantized pixel is
``p - 128``: lossless, whatever the calibration. What a network needs beyond that is in its graph.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from fer_edge.errors import ContractError, reason_of
from fer_edge.runtime.json_text import parse_json
from fer_edge.runtime.zip_files import ZIP_DAMAGE, open_zip

__all__ = [
    "FER2013_LABELS",
    "PIXEL_MEAN",
    "PIXEL_SCALE",
    "RESERVED_LABELS",
    "SPEC_FILE",
    "SPEC_VERSION",
    "Crop",
    "ModelSpec",
    "read_spec",
]

FER2013_LABELS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven emotions in FER-2013's label order."""

PIXEL_MEAN: Final = 128
PIXEL_SCALE: Final = 64
SPEC_FILE: Final = "fer_edge_spec.json"
"""The spec's name among the files appended to a ``.tflite`` as a ZIP archive."""
SPEC_VERSION: Final = 1

RESERVED_LABELS: Final = frozenset(
    {
        "source",
        "frame",
        "time_s",
        "clock",
        "face_id",
        "x",
        "y",
        "width",
        "height",
        "confidence",
        "emotion",
        "score",
    }
)
"""Columns of the CSV results; a label of one of these names would collide."""

Color = Literal["gray", "rgb"]
Interpolation = Literal["area", "linear", "cubic"]
Variant = Literal["keras", "float32", "float16", "dynamic", "int8"]

_LABEL = re.compile(r"[^\x00-\x1f,\"]{1,40}")
_MAX_SPEC_BYTES = 1 << 20
_MAX_APPENDED_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """How a detector's face box becomes the picture that the network sees.

    ``margin`` widens the box on each side by that fraction of its size (0.1 = 10 %; negative tightens).
    ``square`` grows the shorter side to the longer one first.
    ``shift_y`` moves the box down by that fraction of its height (negative: up).
    What then lies outside the frame is filled with the nearest pixel of the frame.
    """

    margin: float = 0.0
    square: bool = True
    shift_y: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """What a model file says of itself.

    ``labels`` are in the order of the network's outputs.
    ``width`` and ``height`` are the input's pixels; ``color`` says whether it has one channel
    (``gray``: OpenCV's BGR2GRAY, ITU-R BT.601) or three (``rgb``).
    ``interpolation`` resizes the crop: ``area`` averages when shrinking and is cubic when enlarging;
    ``linear`` and ``cubic`` are the same in both directions.
    ``variant`` is ``keras`` for a trained network, otherwise what the conversion made of it.
    ``accuracy`` holds measured figures by split, ``{"PublicTest": {"accuracy": …, "samples": …}}``, shares in 0…1;
    ``accuracy_interval``, where it is given, is the 95 % interval ``[low, high]``.
    ``provenance`` says where the weights come from: data, recipe, licence, hash of the source run.

    >>> from fer_edge import Classifier, ModelSpec
    >>> with Classifier() as classifier:
    ...     spec = classifier.spec
    >>> spec.labels[3], spec.width, spec.color
    ('happy', 48, 'gray')
    >>> ModelSpec.from_json(spec.to_json()) == spec
    True
    """

    name: str
    labels: tuple[str, ...]
    width: int = 48
    height: int = 48
    color: Color = "gray"
    interpolation: Interpolation = "area"
    crop: Crop = field(default_factory=Crop)
    variant: Variant = "keras"
    accuracy: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every field; raises ContractError."""
        _require(
            isinstance(self.name, str) and 0 < len(self.name) <= 80, "a name of 1 to 80 characters", self.name
        )
        _require(
            isinstance(self.labels, tuple) and all(isinstance(label, str) for label in self.labels),
            "labels as a list of texts",
            self.labels,
        )
        _require(2 <= len(self.labels) <= 100, "2 to 100 labels", len(self.labels))
        _require(len(set(self.labels)) == len(self.labels), "labels that differ", list(self.labels))
        for label in self.labels:
            _require(
                _LABEL.fullmatch(label) is not None and label == label.strip(),
                "labels of 1 to 40 characters without comma, quote, control character or outer blank",
                label,
            )
            _require(label not in RESERVED_LABELS, "labels that are no result column's name", label)
        for side in (self.width, self.height):
            _require(type(side) is int and 8 <= side <= 1024, "an input side of 8 to 1024 pixels", side)
        for value, choices, what in (
            (self.color, get_args(Color), "color"),
            (self.interpolation, get_args(Interpolation), "interpolation"),
            (self.variant, get_args(Variant), "variant"),
        ):
            _require(value in choices, f"{what} as one of {', '.join(choices)}", value)
        _require(_is_number(self.crop.margin, -0.4, 2.0), "a crop margin of -0.4 to 2", self.crop.margin)
        _require(_is_number(self.crop.shift_y, -1.0, 1.0), "a crop shift of -1 to 1", self.crop.shift_y)
        _require(type(self.crop.square) is bool, "crop square as true or false", self.crop.square)
        _require(isinstance(self.accuracy, dict), "accuracy as an object", self.accuracy)
        _require(isinstance(self.provenance, dict), "provenance as an object", self.provenance)

    @property
    def channels(self) -> int:
        """1 for a grey input, 3 for a colour one."""
        return 1 if self.color == "gray" else 3

    def replace(self, **changes: Any) -> ModelSpec:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form; :meth:`from_dict` reads it back."""
        return {
            "spec_version": SPEC_VERSION,
            "name": self.name,
            "variant": self.variant,
            "labels": list(self.labels),
            "input": {"width": self.width, "height": self.height, "color": self.color},
            "preprocessing": {
                "interpolation": self.interpolation,
                "crop": dataclasses.asdict(self.crop),
                "normalization": {"mean": PIXEL_MEAN, "scale": PIXEL_SCALE},
            },
            "accuracy": self.accuracy,
            "provenance": self.provenance,
        }

    def to_json(self) -> str:
        """Return the JSON text that is written beside a run and into a ``.tflite``."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_dict(cls, data: Any) -> ModelSpec:
        """Read the JSON form; raises ContractError naming the field at fault."""
        try:
            version, source, preprocessing = data["spec_version"], data["input"], data["preprocessing"]
            _require(
                version == SPEC_VERSION,
                f"spec_version {SPEC_VERSION} (a newer fer-edge may read it)",
                version,
            )
            normalization = preprocessing["normalization"]
            _require(
                normalization == {"mean": PIXEL_MEAN, "scale": PIXEL_SCALE},
                f"the normalization (pixel - {PIXEL_MEAN}) / {PIXEL_SCALE}",
                normalization,
            )
            crop = preprocessing["crop"]
            _require(isinstance(data["labels"], list), "labels as a list of texts", data["labels"])
            return cls(
                name=data["name"],
                labels=tuple(data["labels"]),
                width=source["width"],
                height=source["height"],
                color=source["color"],
                interpolation=preprocessing["interpolation"],
                crop=Crop(margin=crop["margin"], square=crop["square"], shift_y=crop["shift_y"]),
                variant=data["variant"],
                accuracy=data.get("accuracy", {}),
                provenance=data.get("provenance", {}),
            )
        except KeyError as error:
            raise ContractError(f"the model's spec lacks the field {error}") from error
        except (TypeError, AttributeError) as error:
            raise ContractError(
                f"the model's spec has a field of the wrong type: {reason_of(error)}"
            ) from error

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelSpec:
        """Read :meth:`to_json`'s text; raises ContractError."""
        try:
            data = parse_json(text)
        except ValueError as error:
            raise ContractError(f"the model's spec is not JSON: {reason_of(error)}") from error
        return cls.from_dict(data)


def read_spec(path: str | Path) -> ModelSpec:
    """Read the spec of a ``.tflite`` (from the ZIP archive appended to it) or of a ``.json`` file.

    Raises ContractError when there is none or it is malformed, naming the file.
    """
    path = Path(path)
    try:
        if path.suffix == ".json":
            return ModelSpec.from_json(path.read_bytes())
        with open_zip(path, _MAX_APPENDED_BYTES) as archive:
            entry = archive.getinfo(SPEC_FILE)
            # A spec is a few kilobytes; a larger one is an attack or an accident.
            _require(
                entry.file_size <= _MAX_SPEC_BYTES,
                f"a spec of at most {_MAX_SPEC_BYTES} bytes",
                entry.file_size,
            )
            return ModelSpec.from_json(archive.read(entry))
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from error
    except ZIP_DAMAGE as error:
        raise ContractError(
            f"{path}: expected a model that carries its contract ({SPEC_FILE}), found none; "
            "the file may be truncated, or comes from elsewhere: "
            "give it one with: fer-convert attach FILE --spec SPEC"
        ) from error
    except OSError as error:
        raise ContractError(f"{path}: cannot be read: {error.strerror or error}") from error


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _require(condition: bool, expected: str, received: object) -> None:
    if not condition:
        raise ContractError(
            f"the model's spec is invalid: expected {expected}, got {reason_of(repr(received))}"
        )
