"""Parsing and packing of TFLite networks, which are flatbuffers."""

from __future__ import annotations

import struct
from typing import Any, Final

from fer_edge.errors import ModelError

__all__ = ["pack_model", "parse_model"]

_ALIGNMENT: Final = 16  # bytes, required for buffers by TFLite's schema (force_align)


def parse_model(network: bytes) -> tuple[Any, Any]:
    """Parse a network into an object tree.

    Returns TFLite's schema module and the ``ModelT``. Raises ModelError if the bytes are not a TFLite model or LiteRT
    is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ModuleNotFoundError as error:
        raise ModelError(
            "LiteRT, which contains the schema of TFLite models, is not installed; "
            "install it with: pip install ai-edge-litert"
        ) from error
    try:
        return schema, schema.ModelT.InitFromPackedBuf(bytearray(network), 0)
    except (struct.error, IndexError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise ModelError("not a TFLite model, or a truncated file") from error


def pack_model(schema: Any, model: Any) -> bytes:
    """Pack a ``ModelT`` into the bytes of a network, which :func:`parse_model` reads."""
    import flatbuffers

    model.buffers = [_align_buffer(schema, buffer) for buffer in model.buffers]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _align_buffer(schema: Any, buffer: Any) -> Any:
    """Return a copy of the buffer that is aligned for every number type when packed.

    The generated Python code ignores the alignment that the schema requires.
    """

    class AlignedBuffer(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802
            data = None
            if self.data is not None:
                content = self.data.tobytes()
                builder.StartVector(1, len(content), _ALIGNMENT)
                builder.head -= len(content)
                builder.Bytes[builder.head : builder.head + len(content)] = content
                data = builder.EndVector()
            schema.BufferStart(builder)
            if data is not None:
                schema.BufferAddData(builder, data)
            return schema.BufferEnd(builder)

    return AlignedBuffer(data=buffer.data)
