"""``ModelSpec``: the description of a model that is embedded in every model file.

Training writes the spec, conversion copies it to the ``.tflite`` (and adds the variant, hashes and measured
accuracy), and the runtime follows it. Nothing is guessed from the name of a file or the range or shape of an array.

All models use the same normalization: a pixel p in 0…255 becomes ``(p - 128) / 64``. An int8 input then has scale
1/64 and zero point 0, so the quantized pixel is ``p - 128``, which is lossless whatever the calibration. Any further
preprocessing is part of the network's graph.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from fer_edge.errors import ContractError, reason_of
from fer_edge.runtime.json_text import format_json, parse_json
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
"""The seven emotions in the label order of FER-2013."""

PIXEL_MEAN: Final = 128
PIXEL_SCALE: Final = 64
SPEC_FILE: Final = "fer_edge_spec.json"
"""The file name of the spec in the ZIP archive that is appended to a ``.tflite``."""
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
"""Column names of CSV results, which no label may have."""

Color = Literal["gray", "rgb"]
Interpolation = Literal["area", "linear", "cubic"]
Variant = Literal["keras", "float32", "float16", "dynamic", "int8"]

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_LABEL = re.compile(rf"[^{_CONTROLS},\"]{{1,40}}")
_NAME = re.compile(rf"[^{_CONTROLS}]{{1,80}}")
_MAX_SPEC_BYTES = 1 << 20
_MAX_APPENDED_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """The rule that derives the face crop for the network from a detector's box.

    ``square`` first extends the shorter side to the length of the longer one. ``margin`` extends the box on each side
    by this fraction of its size (0.1 is 10%; negative values shrink it). ``shift_y`` moves the box down by this
    fraction of its height (negative values move it up). Parts outside the frame are filled with the nearest pixel of
    the frame.
    """

    margin: float = 0.0
    square: bool = True
    shift_y: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """The description of a model that is embedded in its file.

    - ``labels``: the labels in the order of the network's outputs.
    - ``width``, ``height``: the size of the input in pixels.
    - ``color``: ``gray`` for an input with one channel (OpenCV's BGR2GRAY, ITU-R BT.601), ``rgb`` for three.
    - ``interpolation``: how to resize the face crop. ``area`` averages when shrinking and is cubic when enlarging;
      ``linear`` and ``cubic`` apply in both directions.
    - ``variant``: ``keras`` for a trained network, otherwise the kind of conversion.
    - ``accuracy``: measured accuracies by split, ``{"PublicTest": {"accuracy": …, "samples": …}}``, each 0…1. The
      optional ``accuracy_interval`` is the 95% interval ``[low, high]``.
    - ``provenance``: the origin of the weights, such as data, recipe, license and hash of the training run.

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
        """Validate every field; raises ContractError."""
        _require(
            isinstance(self.name, str) and _NAME.fullmatch(self.name) is not None,
            "a name of 1 to 80 UTF-8 characters without control characters",
            self.name,
        )
        _require(
            isinstance(self.labels, tuple) and all(isinstance(label, str) for label in self.labels),
            "labels as a list of strings",
            self.labels,
        )
        _require(2 <= len(self.labels) <= 100, "2 to 100 labels", len(self.labels))
        _require(len(set(self.labels)) == len(self.labels), "distinct labels", list(self.labels))
        for label in self.labels:
            _require(
                _LABEL.fullmatch(label) is not None and label == label.strip(),
                "labels of 1 to 40 UTF-8 characters without commas, quotes, control characters or surrounding spaces",
                label,
            )
            _require(label not in RESERVED_LABELS, "labels that are not names of result columns", label)
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
        """The number of input channels: 1 for gray, 3 for color."""
        return 1 if self.color == "gray" else 3

    def replace(self, **changes: Any) -> ModelSpec:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the spec as a JSON object, which :meth:`from_dict` reads."""
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
        """Return the spec as JSON text, as stored in run folders and ``.tflite`` files.

        Raises ContractError if the text is longer or nested more deeply than :func:`read_spec` allows.
        """
        try:
            text = format_json(self.as_dict())
        except RecursionError:
            raise ContractError("the model spec is nested too deeply") from None
        _require_size(len(text.encode()))
        return text

    @classmethod
    def from_dict(cls, data: Any) -> ModelSpec:
        """Create a spec from a JSON object.

        Raises ContractError, which names the invalid field.
        """
        try:
            _require(isinstance(data, dict), "a JSON object", data)
            version, source, preprocessing = data["spec_version"], data["input"], data["preprocessing"]
            for name, value in (("input", source), ("preprocessing", preprocessing)):
                _require(isinstance(value, dict), f"{name} as an object", value)
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
            _require(isinstance(crop, dict), "crop as an object", crop)
            _require(isinstance(data["labels"], list), "labels as a list of strings", data["labels"])
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
            raise ContractError(f"the model spec has no field {error}") from error
        except (TypeError, AttributeError) as error:
            raise ContractError(
                f"the model spec has a field of the wrong type: {reason_of(error)}"
            ) from error

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelSpec:
        """Create a spec from the output of :meth:`to_json`; raises ContractError."""
        try:
            data = parse_json(text)
        except ValueError as error:
            raise ContractError(f"the model spec is not valid JSON: {reason_of(error)}") from error
        return cls.from_dict(data)


def read_spec(path: str | Path) -> ModelSpec:
    """Read the spec from a ``.json`` or ``.tflite`` file.

    A ``.tflite`` has the spec in an appended ZIP archive. Raises ContractError, which names the file, if the spec is
    missing or malformed.
    """
    path = Path(path)
    try:
        if path.suffix == ".json":
            _require_size(path.stat().st_size)
            return ModelSpec.from_json(path.read_bytes())
        with open_zip(path, _MAX_APPENDED_BYTES) as archive:
            entry = archive.getinfo(SPEC_FILE)
            _require_size(entry.file_size)
            return ModelSpec.from_json(archive.read(entry))
    except ContractError as error:
        raise ContractError(f"{path}: {error}", hint=error.hint) from error
    except ZIP_DAMAGE as error:
        raise ContractError(
            f"{path}: the model contains no model spec ({SPEC_FILE}); the file may be truncated or made with another "
            "tool",
            hint="add a spec with: fer-convert attach FILE --spec SPEC",
        ) from error
    except OSError as error:
        raise ContractError(f"{path}: cannot be read: {error.strerror or error}") from error


def _require_size(size: int) -> None:
    """Raise ContractError for more bytes than a spec may have.

    A spec has a few kilobytes; a much larger one is damaged or malicious.
    """
    _require(size <= _MAX_SPEC_BYTES, f"a spec of at most {_MAX_SPEC_BYTES:,} bytes", size)


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _require(condition: bool, expected: str, received: object) -> None:
    if not condition:
        raise ContractError(
            f"the model spec is invalid: expected {expected}, got {reason_of(repr(received))}"
        )
