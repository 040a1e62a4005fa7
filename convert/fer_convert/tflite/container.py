"""The ``.tflite`` file as a container: a network, its metadata and the files appended to it."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from fer_convert.tflite.flatbuffer import pack_model, parse_model
from fer_convert.tflite.metadata import LABELS_FILE, METADATA_NAME, build_metadata
from fer_edge.models.spec import SPEC_FILE, ModelSpec

__all__ = ["embed_spec", "extract_network"]


def extract_network(content: bytes) -> bytes:
    """Extract the network from a ``.tflite`` file's bytes, without the files appended to it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return content[: min((entry.header_offset for entry in archive.infolist()), default=len(content))]
    except zipfile.BadZipFile:
        return content


def embed_spec(network: bytes, spec: ModelSpec) -> bytes:
    """Embed a model spec in a network; returns the bytes of a ``.tflite`` file.

    TFLite metadata is written into the flatbuffer; the labels and the spec are appended as a ZIP archive.
    The same network and spec give the same bytes. Raises ModelError when the bytes are not a TFLite model.
    """
    file = io.BytesIO(_set_metadata(network, build_metadata(spec)))
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        for name, text in ((LABELS_FILE, "\n".join(spec.labels) + "\n"), (SPEC_FILE, spec.to_json())):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # the same bytes on every operating system
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text.encode())
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
