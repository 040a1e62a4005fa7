"""Reading of the metadata and label files in third-party ``.tflite`` files.

Field numbers are from ``metadata_schema.fbs``, as in :mod:`fer_convert.tflite.metadata`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import flatbuffers

from fer_convert.tflite.container import read_appended_files
from fer_convert.tflite.flatbuffer import parse_model
from fer_convert.tflite.metadata import METADATA_NAME, NORMALIZATION, TENSOR_AXIS_LABELS
from fer_edge.errors import ContractError
from fer_edge.models.spec import SPEC_FILE

__all__ = ["ExistingMetadata", "read_existing_metadata"]

_TEXTS: Final = {"name": 0, "description": 1, "version": 2, "author": 4, "licence": 5}
_NUMBERED = re.compile(r"(\d+)[\s:,;]+(\S.*)")  # "0 happy", as Teachable Machine writes it
_MAX_LABELS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ExistingMetadata:
    """The metadata of a file; absent values are empty.

    ``texts`` contains the values of name, description, version, author and "licence". ``mean`` and ``std`` are those of
    NormalizationOptions in gray levels, one for all channels or one per channel. ``labels`` maps the names of appended
    files to labels. ``written_by_fer_convert`` is True for output of fer-convert.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    written_by_fer_convert: bool = False


def read_existing_metadata(content: bytes, network: bytes) -> ExistingMetadata:
    """Read the metadata about the input and labels of a ``.tflite`` file.

    ``content`` are the bytes of the file, ``network`` those of the network in it. Labels are read from the files that
    the metadata lists as labels of an output or, without metadata, from appended files with "label" in their names.
    Raises ContractError if the metadata cannot be read, ModelError if the network is not a TFLite model.
    """
    files = read_appended_files(content)
    buffer = _find_buffer(network)
    if buffer is None:
        names = [name for name in files if "label" in name.lower() and name.lower().endswith(".txt")]
        return ExistingMetadata(labels=_read_labels(files, names))
    try:
        model = _Table(buffer, int.from_bytes(buffer[:4], "little"))
        texts = {key: text for key, number in _TEXTS.items() if (text := model.text(number))}
        graph = next(iter(model.children(3)), None)
        source = next(iter(graph.children(2)), None) if graph else None
        mean, std = _read_normalization(source) if source else ((), ())
        names = _list_label_files(graph) if graph else []
        labels = _read_labels(files, names)
    except (struct.error, IndexError, ValueError, TypeError, OverflowError) as error:
        raise ContractError("its TFLite metadata is damaged; get the file again") from error
    return ExistingMetadata(texts, mean, std, labels, written_by_fer_convert=SPEC_FILE in files)


def _find_buffer(network: bytes) -> bytearray | None:
    _, model = parse_model(network)
    for entry in model.metadata or ():
        data = model.buffers[entry.buffer].data if entry.name == METADATA_NAME.encode() else None
        if data is not None:
            return bytearray(data.tobytes())
    return None


def _read_normalization(source: _Table) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for unit in source.children(4):
        options = unit.child(1)
        if unit.byte(0) == NORMALIZATION and options is not None:
            return options.floats(0), options.floats(1)
    return (), ()


def _list_label_files(graph: _Table) -> list[str]:
    return [
        name
        for output in graph.children(3)
        for file in output.children(6)
        if file.byte(2) == TENSOR_AXIS_LABELS and (name := file.text(0))
    ]


def _read_labels(files: Mapping[str, bytes], names: list[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for name in names:
        lines = [line.strip() for line in files.get(name, b"").decode("utf-8-sig", "replace").splitlines()]
        lines = [line for line in lines if line][:_MAX_LABELS]
        numbered = [_NUMBERED.fullmatch(line) for line in lines]
        if lines and all(match and int(match[1]) == number for number, match in enumerate(numbered)):
            lines = [match[2] for match in numbered if match]
        if lines:
            found[name] = tuple(lines)
    return found


class _Table:
    """A flatbuffer table, with access by field number; an absent field is empty."""

    def __init__(self, content: bytearray, position: int) -> None:
        self._table: Any = flatbuffers.table.Table(content, position)

    def _at(self, number: int) -> int:
        return int(self._table.Offset(4 + 2 * number))

    def text(self, number: int) -> str:
        offset = self._at(number)
        return self._table.String(offset + self._table.Pos).decode() if offset else ""

    def byte(self, number: int) -> int:
        offset = self._at(number)
        kind = flatbuffers.number_types.Uint8Flags
        return int(self._table.Get(kind, offset + self._table.Pos)) if offset else 0

    def child(self, number: int) -> _Table | None:
        offset = self._at(number)
        return _Table(self._table.Bytes, self._table.Indirect(offset + self._table.Pos)) if offset else None

    def children(self, number: int) -> list[_Table]:
        offset = self._at(number)
        if not offset:
            return []
        start, count = self._table.Vector(offset), self._table.VectorLen(offset)
        return [_Table(self._table.Bytes, self._table.Indirect(start + 4 * i)) for i in range(count)]

    def floats(self, number: int) -> tuple[float, ...]:
        offset = self._at(number)
        if not offset:
            return ()
        values = self._table.GetVectorAsNumpy(flatbuffers.number_types.Float32Flags, offset)
        return tuple(float(value) for value in values)
