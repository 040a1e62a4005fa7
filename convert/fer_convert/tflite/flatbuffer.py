"""TFLite networks as flatbuffers: bytes to an object tree, and back."""

from __future__ import annotations

import struct
from typing import Any, Final

from fer_edge.errors import ModelError

__all__ = ["pack_model", "parse_model"]

_ALIGNMENT: Final = 16  # of a buffer's bytes, as TFLite's schema demands (force_align)


def parse_model(network: bytes) -> tuple[Any, Any]:
    """Parse a network into an object tree; returns TFLite's schema module and its ``ModelT``.

    Raises ModelError when the bytes are not a TFLite model or LiteRT is not installed.
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
        raise ModelError("not a TFLite model, or a truncated one") from error


def pack_model(schema: Any, model: Any) -> bytes:
    """Pack a ``ModelT`` into the bytes of a network; :func:`parse_model` reverses it."""
    import flatbuffers

    model.buffers = [_align_buffer(schema, buffer) for buffer in model.buffers]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _align_buffer(schema: Any, buffer: Any) -> Any:
    """Return the buffer as one that is packed at an address aligned for every number type.

    The generated Python code of the schema ignores the alignment that the schema demands.
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
