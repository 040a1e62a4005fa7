"""A network that LiteRT can load but not run gives a one-line error."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_convert.tflite.container import embed_spec, extract_network
from fer_convert.tflite.flatbuffer import pack_model, parse_model
from fer_edge.classification.classifier import Classifier
from fer_edge.errors import ModelError
from fer_edge.models.find_model import find_model


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
