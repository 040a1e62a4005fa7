"""A network that LiteRT can load but not run gives a one-line error."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_convert.tflite.container import embed_spec, extract_network
from fer_convert.tflite.flatbuffer import pack_model, parse_model
from fer_edge.classification.classifier import Classifier
from fer_edge.errors import ModelError
from fer_edge.models.find_model import find_model
from fer_train.models.recovery import recover_network
from fer_train.models.registry import ARCHITECTURES


def test_weights_that_are_missing(tmp_path: Path) -> None:
    bundled = find_model("default")
    schema, model = parse_model(extract_network(bundled.path.read_bytes()))
    graph = model.subgraphs[0]
    convolution = next(operator for operator in graph.operators if len(operator.inputs) > 2)
    weights = graph.tensors[convolution.inputs[1]]
    weights.buffer = 0  # buffer 0 is empty by TFLite's convention
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(embed_spec(pack_model(schema, model), bundled.spec))
    with pytest.raises(ModelError, match=r"damaged\.tflite: .*LiteRT"):
        Classifier(damaged)


@pytest.mark.parametrize("which", ["inputs", "outputs"])
def test_a_tensor_name_that_is_not_text(which: str, tmp_path: Path) -> None:
    bundled = find_model("default")
    schema, model = parse_model(extract_network(bundled.path.read_bytes()))
    graph = model.subgraphs[0]
    graph.tensors[getattr(graph, which)[0]].name = b"bad\xb9"
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(embed_spec(pack_model(schema, model), bundled.spec))
    with pytest.raises(ModelError, match=r"damaged\.tflite: the interpreter rejected the model"):
        Classifier(damaged)


def test_weights_with_a_name_that_is_not_text_are_not_trained_further(tmp_path: Path) -> None:
    bundled = find_model("default")
    schema, model = parse_model(extract_network(bundled.path.read_bytes()))
    graph = model.subgraphs[0]
    graph.tensors[graph.operators[0].outputs[0]].name = b"bad\xb9"
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(embed_spec(pack_model(schema, model), bundled.spec))
    with pytest.raises(ModelError, match=r"damaged\.tflite: cannot read its weights"):
        recover_network(find_model(damaged), ARCHITECTURES.load(bundled.spec.name))
