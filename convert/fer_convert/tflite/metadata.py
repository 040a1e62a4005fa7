"""TFLite metadata, a standard description of a model for any program.

By convention, it is a flatbuffer with the identifier ``M001``, in the buffer that the entry ``TFLITE_METADATA`` in the
model's metadata refers to. Field numbers are from ``metadata_schema.fbs`` 1.0.0 in google-ai-edge's tflite-support; a
union has two numbers, for its type and for its value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import flatbuffers
import numpy as np

from fer_edge._version import __version__
from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE, SPEC_FILE, ModelSpec

__all__ = [
    "INPUT_NAME",
    "LABELS_FILE",
    "METADATA_NAME",
    "NORMALIZATION",
    "OUTPUT_NAME",
    "TENSOR_AXIS_LABELS",
    "build_metadata",
]

METADATA_NAME: Final = "TFLITE_METADATA"
"""Name of the buffer in the model's metadata."""
LABELS_FILE: Final = "labels.txt"
"""Name of the appended file with one label per line, in the order of the outputs."""
INPUT_NAME: Final = "image"
OUTPUT_NAME: Final = "emotion"
"""Names of the input and output in the model's only signature, ``serving_default``."""
NORMALIZATION: Final = 1
"""Value of NormalizationOptions in the schema's ProcessUnitOptions."""
TENSOR_AXIS_LABELS: Final = 2
"""Value in the schema's AssociatedFileType for a file with a label for each value of an output."""

_IDENTIFIER: Final = b"M001"
_PARSER_VERSION: Final = "1.0.0"
# Values of the schema's enums and unions.
_FILE_DESCRIPTIONS: Final = 1
_COLOR_SPACE: Final = {"rgb": 1, "gray": 2}
_CONTENT_FEATURE, _CONTENT_IMAGE = 1, 2

_Field = Callable[[], None]


def build_metadata(spec: ModelSpec) -> bytes:
    """Build the metadata flatbuffer of a model.

    The model has one input ``image`` and one output ``emotion``. The normalization is in gray levels, ``(pixel - mean)
    / std`` with mean 128 and standard deviation 64, for float and quantized files. The scale and zero point of a
    quantized input are applied after it.
    """
    write = _Writer()
    labels = write.file(LABELS_FILE, "One emotion per line, in the order of the outputs", TENSOR_AXIS_LABELS)
    description = write.file(SPEC_FILE, "Model spec for fer-edge, in JSON", _FILE_DESCRIPTIONS)
    subgraph = write.table(
        write.tables(2, [_build_input_metadata(write, spec)]),
        write.tables(3, [_build_output_metadata(write, labels)]),
    )
    root = write.table(
        write.text(0, spec.name),
        write.text(1, _describe_model(spec)),
        write.text(2, __version__),
        write.tables(3, [subgraph]),
        write.text(4, str(spec.provenance.get("author", "fer-edge"))),
        write.text(5, str(spec.provenance.get("licence", "not stated"))),
        write.tables(6, [description]),
        write.text(7, _PARSER_VERSION),
    )
    return write.finish(root)


def _describe_model(spec: ModelSpec) -> str:
    size = f"{spec.width}×{spec.height} {'gray' if spec.color == 'gray' else 'RGB'} image of one face"
    measured = "; ".join(
        f"{100 * figures['accuracy']:.2f} % correct on {split}"
        for split, figures in spec.accuracy.items()
        if isinstance(figures, dict) and "accuracy" in figures
    )
    return (
        f"Facial emotion recognition ({spec.variant}): "
        f"probabilities of {', '.join(spec.labels)} from a {size}"
        + (f". Accuracy: {measured}" if measured else "")
    )


def _build_input_metadata(write: _Writer, spec: ModelSpec) -> int:
    size = write.table(write.uint(0, spec.width), write.uint(1, spec.height))
    image = write.table(write.byte(0, _COLOR_SPACE[spec.color]), write.offset(1, size))
    content = write.table(write.byte(0, _CONTENT_IMAGE), write.offset(1, image))
    normalization = write.table(write.floats(0, [PIXEL_MEAN]), write.floats(1, [PIXEL_SCALE]))
    unit = write.table(write.byte(0, NORMALIZATION), write.offset(1, normalization))
    lowest, highest = (0 - PIXEL_MEAN) / PIXEL_SCALE, (255 - PIXEL_MEAN) / PIXEL_SCALE
    stats = write.table(write.floats(0, [highest] * spec.channels), write.floats(1, [lowest] * spec.channels))
    return write.table(
        write.text(0, INPUT_NAME),
        write.text(1, f"A face, {spec.width}×{spec.height}, (pixel - {PIXEL_MEAN}) / {PIXEL_SCALE}"),
        write.offset(3, content),
        write.tables(4, [unit]),
        write.offset(5, stats),
    )


def _build_output_metadata(write: _Writer, labels: int) -> int:
    content = write.table(write.byte(0, _CONTENT_FEATURE), write.offset(1, write.table()))
    stats = write.table(write.floats(0, [1.0]), write.floats(1, [0.0]))
    return write.table(
        write.text(0, OUTPUT_NAME),
        write.text(1, "The probability of each emotion"),
        write.offset(3, content),
        write.offset(5, stats),
        write.tables(6, [labels]),
    )


class _Writer:
    """Writer of flatbuffer tables.

    The targets of a field are written before its table.
    """

    def __init__(self) -> None:
        self._builder: Any = flatbuffers.Builder(1024)

    def finish(self, root: int) -> bytes:
        self._builder.Finish(root, _IDENTIFIER)
        return bytes(self._builder.Output())

    def table(self, *fields: _Field) -> int:
        self._builder.StartObject(8)  # ModelMetadata, the largest table used, has eight fields
        for write_field in fields:
            write_field()
        return int(self._builder.EndObject())

    def offset(self, slot: int, target: int) -> _Field:
        return lambda: self._builder.PrependUOffsetTRelativeSlot(slot, target, 0)

    def byte(self, slot: int, value: int) -> _Field:
        return lambda: self._builder.PrependUint8Slot(slot, value, 0)

    def uint(self, slot: int, value: int) -> _Field:
        return lambda: self._builder.PrependUint32Slot(slot, value, 0)

    def text(self, slot: int, value: str) -> _Field:
        # The provenance may contain file names that are not valid text.
        return self.offset(slot, self._builder.CreateString(value.encode("utf-8", "backslashreplace")))

    def floats(self, slot: int, values: Sequence[float]) -> _Field:
        return self.offset(slot, self._builder.CreateNumpyVector(np.array(values, np.float32)))

    def tables(self, slot: int, tables: Sequence[int]) -> _Field:
        self._builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self._builder.PrependUOffsetTRelative(table)
        return self.offset(slot, self._builder.EndVector())

    def file(self, name: str, description: str, kind: int) -> int:
        return self.table(self.text(0, name), self.text(1, description), self.byte(2, kind))
