"""Small networks as other people create and convert them, without fer-convert."""

from __future__ import annotations

import contextlib
import io
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray

LABELS = 7
Scale = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def own_range(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalize pixels to the range that fer-edge feeds to networks."""
    return (pixels - 128) / 64


def build(
    shape: tuple[int | None, ...] = (48, 48, 1),
    end: Any = "softmax",
    *,
    front: Sequence[Any] = (),
    labels: int = LABELS,
    gain: float = 30.0,
) -> Any:
    """Build a Keras network with random weights whose outputs depend clearly on the image."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(1)
    inputs = keras.Input(shape)
    x = inputs
    for layer in front:
        x = layer(x)
    x = layers.Conv2D(8, 5, strides=3, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(
        labels, activation=end, kernel_initializer=keras.initializers.RandomNormal(stddev=gain / 10)
    )(x)
    return keras.Model(inputs, outputs)


def convert(model: Any, *, integers: Any = None, scale: Scale = own_range, operators: Any = None) -> bytes:
    """Convert a network with TensorFlow's converter alone; return its bytes.

    ``integers``: quantize with images of all gray levels below ``scale``, with this type for input and output;
    ``operators`` defaults to the int8 operators.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if integers is not None:
        shape = model.inputs[0].shape[1:]
        generator = np.random.default_rng(0)

        def images() -> Iterator[list[NDArray[np.float32]]]:
            for _ in range(5):
                pixels = np.rint(generator.uniform(0, 255, (1, *shape)))
                pixels[0, 0, :2] = [[0] * shape[-1], [255] * shape[-1]]
                yield [scale(pixels).astype(np.float32)]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = images
        converter.target_spec.supported_ops = [operators or tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = integers
    return run_quietly(converter)


def convert_function(function: Any, shape: tuple[int, ...], kind: Any = None, **options: Any) -> bytes:
    """Convert a TensorFlow function to bytes; ``options`` are set on the converter."""
    import tensorflow as tf

    traced = tf.function(function, input_signature=[tf.TensorSpec(shape, kind or tf.float32)])
    module = options.pop("module", None)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()], module)
    for name, value in options.items():
        setattr(converter, name, value)
    return run_quietly(converter)


def run_quietly(converter: Any) -> bytes:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return bytes(converter.convert())


def append_files(network: bytes, files: Mapping[str, str]) -> bytes:
    """Return the network with a ZIP archive appended."""
    content = io.BytesIO(network)
    content.seek(0, io.SEEK_END)
    with zipfile.ZipFile(content, "a") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def add_metadata(
    network: bytes,
    *,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    labels_file: str = "",
    name: str = "",
) -> bytes:
    """Return the network with TFLite metadata as MediaPipe Model Maker writes it, by schema field number."""
    builder: Any = flatbuffers.Builder(256)

    def table(*fields: tuple[int, str, Any]) -> int:
        builder.StartObject(8)
        for slot, kind, value in fields:
            if kind == "offset":
                builder.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                builder.PrependUint8Slot(slot, value, 0)
        return int(builder.EndObject())

    def vector(*tables: int) -> int:
        builder.StartVector(4, len(tables), 4)
        for each in reversed(tables):
            builder.PrependUOffsetTRelative(each)
        return int(builder.EndVector())

    def floats(values: Sequence[float]) -> int:
        return int(builder.CreateNumpyVector(np.array(values, np.float32)))

    source, output = [], []
    if mean:
        options = table((0, "offset", floats(mean)), (1, "offset", floats(std)))
        unit = table((0, "byte", 1), (1, "offset", options))
        source = [(4, "offset", vector(unit))]
    if labels_file:
        file = table((0, "offset", builder.CreateString(labels_file)), (2, "byte", 2))
        output = [(6, "offset", vector(file))]
    graph = table((2, "offset", vector(table(*source))), (3, "offset", vector(table(*output))))
    graphs = vector(graph)
    texts = [(0, "offset", builder.CreateString(name))] if name else []
    builder.Finish(table(*texts, (3, "offset", graphs)), b"M001")
    return add_buffer(network, bytes(builder.Output()))


def add_buffer(network: bytes, metadata: bytes) -> bytes:
    """Return the network with a buffer named TFLITE_METADATA in its metadata."""
    from ai_edge_litert import schema_py_generated as schema

    from fer_convert.tflite.flatbuffer import pack_model

    model = schema.ModelT.InitFromPackedBuf(bytearray(network), 0)
    entry = schema.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers)
    model.metadata = [*(model.metadata or ()), entry]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(metadata, np.uint8)
    model.buffers.append(buffer)
    return pack_model(schema, model)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
