"""The content of each file as read by programs other than fer-edge."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import normalize, quantize_pixels
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, SPEC_FILE, ModelSpec, read_spec

FORMATS = ("float32", "float16", "dynamic", "int8")
every_format = pytest.mark.parametrize("variant", FORMATS)


def interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    opened = Interpreter(model_path=str(path))
    opened.allocate_tensors()
    return opened


def schema_and_model(path: Path) -> tuple[Any, Any]:
    """Read the file's content with TensorFlow's generated reader."""
    from tensorflow.lite.python import schema_py_generated as schema

    return schema, schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()), 0)


@every_format
def test_a_format_has_only_built_in_operators(converted: Path, variant: str) -> None:
    schema, model = schema_and_model(converted / f"{variant}.tflite")
    for code in model.operatorCodes:
        assert code.customCode is None
        assert max(code.builtinCode, code.deprecatedBuiltinCode) != schema.BuiltinOperator.CUSTOM


@every_format
def test_input_and_output_are_float_or_int8_as_the_format_says(converted: Path, variant: str) -> None:
    opened = interpreter(converted / f"{variant}.tflite")
    (source,), (output,) = opened.get_input_details(), opened.get_output_details()
    expected = np.int8 if variant == "int8" else np.float32
    assert (source["dtype"], output["dtype"]) == (expected, expected)
    assert source["shape"].tolist() == [1, 48, 48, 1]
    assert output["shape"].tolist() == [1, 7]


def test_the_int8_input_is_the_pixel_minus_128(converted: Path) -> None:
    (source,) = interpreter(converted / "int8.tflite").get_input_details()
    assert source["quantization"] == (1 / 64, 0)
    pixels = np.arange(256, dtype=np.uint8)
    assert (quantize_pixels(pixels) * (1 / 64) == normalize(pixels)).all()


def test_int8_contains_no_float_tensors(converted: Path) -> None:
    schema, model = schema_and_model(converted / "int8.tflite")
    kinds = {tensor.type for tensor in model.subgraphs[0].tensors}
    assert kinds <= {schema.TensorType.INT8, schema.TensorType.INT32}


def test_int8_convolutions_are_quantized_per_channel(converted: Path) -> None:
    schema, model = schema_and_model(converted / "int8.tflite")
    graph = model.subgraphs[0]
    convolutions = [
        graph.tensors[operator.inputs[1]]
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.CONV_2D
    ]
    assert [len(weights.quantization.scale) for weights in convolutions] == [8, 16]


@every_format
def test_the_one_signature_names_image_and_emotion(converted: Path, variant: str) -> None:
    opened = interpreter(converted / f"{variant}.tflite")
    assert opened.get_signature_list() == {"serving_default": {"inputs": ["image"], "outputs": ["emotion"]}}


@every_format
def test_sizes_follow_the_weights(converted: Path, variant: str) -> None:
    sizes = {name: (converted / f"{name}.tflite").stat().st_size for name in FORMATS}
    assert sizes[variant] <= sizes["float32"]


@every_format
def test_litert_interpreter_and_classifier_agree(
    converted: Path, variant: str, drawn_faces: tuple[NDArray[np.uint8], Any, Any]
) -> None:
    path = converted / f"{variant}.tflite"
    image = drawn_faces[0][-1][..., None]
    run = interpreter(path).get_signature_runner("serving_default")
    raw = run(image=(quantize_pixels if variant == "int8" else normalize)(image)[None])["emotion"][0]
    with Classifier(path) as classifier:
        scores = classifier.predict(image)
    assert int(raw.argmax()) == int(scores.argmax())
    if variant != "int8":
        np.testing.assert_allclose(raw, scores, atol=1e-5)


@every_format
def test_litert_compiled_model_gives_the_same_answer(
    converted: Path, variant: str, drawn_faces: tuple[NDArray[np.uint8], Any, Any]
) -> None:
    from ai_edge_litert.compiled_model import CompiledModel

    path = converted / f"{variant}.tflite"
    image = drawn_faces[0][-2][..., None]
    kind: Any = np.int8 if variant == "int8" else np.float32
    compiled = CompiledModel.from_file(str(path))
    inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
    inputs[0].write(np.ascontiguousarray((quantize_pixels if kind is np.int8 else normalize)(image)[None]))
    compiled.run_by_index(0, inputs, outputs)
    answer = outputs[0].read(7, kind)
    with Classifier(path) as classifier:
        assert int(answer.argmax()) == int(classifier.predict(image).argmax())


@every_format
def test_litert_benchmark_runs_the_file(converted: Path, variant: str) -> None:
    program = shutil.which("litert-benchmark", path=str(Path(sys.executable).parent))
    assert program is not None, "ai-edge-litert installs litert-benchmark"
    ran = subprocess.run(
        [program, "--model", str(converted / f"{variant}.tflite"), "--num_runs", "3", "--warmup_runs", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]


@every_format
def test_a_file_carries_labels_and_model_spec_as_plain_zip_entries(
    converted: Path, variant: str, spec: ModelSpec
) -> None:
    path = converted / f"{variant}.tflite"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt").decode().splitlines() == list(FER2013_LABELS)
        carried = ModelSpec.from_json(archive.read(SPEC_FILE))
    assert carried == read_spec(path) == find_model(path).spec
    assert carried.variant == variant
    assert carried.provenance.items() >= spec.provenance.items()
    assert carried.replace(variant="keras", accuracy={}, provenance={}) == spec.replace(provenance={})
