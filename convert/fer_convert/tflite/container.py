"""The ``.tflite`` file as a container: what the network is made of, and the contract that travels in it."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any, Final

from fer_convert.tflite.metadata import LABELS_FILE, METADATA_NAME, model_metadata
from fer_edge.errors import ModelError
from fer_edge.models.spec import SPEC_FILE, ModelSpec, Variant

__all__ = ["input_quantization", "network_of", "operators", "packed", "parsed", "variant_of", "with_contract"]

_ALIGNMENT: Final = 16  # of a buffer's bytes, as TFLite's schema demands (force_align)


def network_of(content: bytes) -> bytes:
    """The network in a ``.tflite``'s bytes, without the files that are appended to it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return content[: min((entry.header_offset for entry in archive.infolist()), default=len(content))]
    except zipfile.BadZipFile:
        return content


def operators(network: bytes) -> tuple[str, ...]:
    """The names of the operators in a network's bytes, sorted; ``CUSTOM:name`` for one outside TFLite."""
    schema, model = parsed(network)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    return tuple(sorted(_operator(names, code) for code in model.operatorCodes))


def variant_of(network: bytes) -> Variant:
    """What a network's tensors say of its quantization: ``float32``, ``float16``, ``dynamic`` or ``int8``."""
    schema, model = parsed(network)
    graph = model.subgraphs[0]
    kinds = schema.TensorType
    if all(graph.tensors[i].type == kinds.INT8 for i in (*graph.inputs, *graph.outputs)):
        return "int8"
    constants = {tensor.type for tensor in graph.tensors if model.buffers[tensor.buffer].data is not None}
    if kinds.INT8 in constants:
        return "dynamic"
    return "float16" if kinds.FLOAT16 in constants else "float32"


def input_quantization(network: bytes) -> tuple[float, int]:
    """The scale and the zero point of a network's input tensor; both 0 where it is not quantized."""
    _, model = parsed(network)
    graph = model.subgraphs[0]
    quantization = graph.tensors[graph.inputs[0]].quantization
    if quantization is None or quantization.scale is None:
        return 0.0, 0
    return float(quantization.scale[0]), int(quantization.zeroPoint[0])


def with_contract(network: bytes, spec: ModelSpec) -> bytes:
    """A ``.tflite``'s bytes: the network, TFLite metadata in it, labels and spec appended as a ZIP archive.

    The same network and spec give the same bytes.
    """
    described = _with_metadata(network, model_metadata(spec))
    file = io.BytesIO(described)
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        for name, text in ((LABELS_FILE, "\n".join(spec.labels) + "\n"), (SPEC_FILE, spec.to_json())):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # whatever system wrote it
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text.encode())
    return file.getvalue()


def _with_metadata(network: bytes, metadata: bytes) -> bytes:
    import numpy as np

    schema, model = parsed(network)
    index = next((m.buffer for m in model.metadata or () if m.name == METADATA_NAME.encode()), None)
    if index is None:
        index = len(model.buffers)
        model.buffers.append(schema.BufferT())
        model.metadata = [*(model.metadata or ()), schema.MetadataT(name=METADATA_NAME, buffer=index)]
    model.buffers[index] = schema.BufferT(data=np.frombuffer(metadata, np.uint8))
    return packed(schema, model)


def packed(schema: Any, model: Any) -> bytes:
    """The bytes of a network's object tree; :func:`parsed` reads them back."""
    import flatbuffers

    model.buffers = [_aligned(schema, buffer) for buffer in model.buffers]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _aligned(schema: Any, buffer: Any) -> Any:
    """The buffer, packed at addresses that a processor can read any number type from.

    The schema's generated Python code forgets the alignment that the schema demands.
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


def parsed(network: bytes) -> tuple[Any, Any]:
    """TFLite's schema and a network's object tree; raises ModelError where there is none."""
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ModuleNotFoundError as error:
        raise ModelError(
            "expected LiteRT, which reads the inside of a model; install it with: pip install ai-edge-litert"
        ) from error
    try:
        return schema, schema.ModelT.InitFromPackedBuf(bytearray(network), 0)
    except (struct.error, IndexError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise ModelError(
            "expected a TFLite model, its content cannot be read; it may be truncated"
        ) from error


def _operator(names: dict[int, str], code: Any) -> str:
    if code.customCode is not None:
        return f"CUSTOM:{code.customCode.decode()}"
    # Operators past the 127th stand in the newer field, older ones in both.
    return names[max(code.builtinCode, code.deprecatedBuiltinCode)]
