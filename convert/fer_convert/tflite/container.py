"""The ``.tflite`` file as a container of a network, metadata, and appended files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Final

import numpy as np

from fer_convert.tflite.flatbuffer import pack_model, parse_model
from fer_convert.tflite.metadata import LABELS_FILE, METADATA_NAME, build_metadata
from fer_edge.errors import ContractError, reason_of
from fer_edge.models.spec import SPEC_FILE, ModelSpec
from fer_edge.runtime.zip_files import ZIP_DAMAGE, open_zip

__all__ = ["embed_spec", "extract_network", "read_appended_files"]

_MAX_APPENDED_BYTES: Final = 16 << 20


def extract_network(content: bytes) -> bytes:
    """Return the network in the bytes of a ``.tflite`` file, without appended files."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return content[: min((entry.header_offset for entry in archive.infolist()), default=len(content))]
    except ZIP_DAMAGE:
        return content


def read_appended_files(content: bytes) -> dict[str, bytes]:
    """Read the files appended to the bytes of a ``.tflite`` file, by name.

    Returns an empty dict if there are none. Raises ContractError if they are damaged, encrypted, compressed with
    another method than deflate, or larger than 16 MiB.
    """
    try:
        with open_zip(io.BytesIO(content), _MAX_APPENDED_BYTES) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            return {entry.filename: archive.read(entry) for entry in entries}
    except ZIP_DAMAGE as error:
        if isinstance(error, zipfile.BadZipFile) and not zipfile.is_zipfile(io.BytesIO(content)):
            return {}
        raise ContractError(f"cannot read the appended files: {reason_of(error)}") from error


def embed_spec(network: bytes, spec: ModelSpec, others: Mapping[str, bytes] | None = None) -> bytes:
    """Embed a model spec in a network; returns the bytes of a ``.tflite`` file.

    TFLite metadata is written into the flatbuffer; the labels, the spec and ``others``, contents by file name, are
    appended as a ZIP archive. The same arguments give the same bytes. Raises ModelError if the bytes are not a TFLite
    model, ContractError if the spec is too long.
    """
    file = io.BytesIO(_set_metadata(network, build_metadata(spec)))
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        labels = "\n".join(spec.labels) + "\n"
        own = {LABELS_FILE: labels.encode(), SPEC_FILE: spec.to_json().encode()}
        for name, data in {**(others or {}), **own}.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # the same bytes on every operating system
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return file.getvalue()


def _set_metadata(network: bytes, metadata: bytes) -> bytes:
    schema, model = parse_model(network)
    index = next((m.buffer for m in model.metadata or () if m.name == METADATA_NAME.encode()), None)
    if index is None:
        index = len(model.buffers)
        model.buffers.append(schema.BufferT())
        model.metadata = [*(model.metadata or ()), schema.MetadataT(name=METADATA_NAME, buffer=index)]
    model.buffers[index] = schema.BufferT(data=np.frombuffer(metadata, np.uint8))
    return pack_model(schema, model)
