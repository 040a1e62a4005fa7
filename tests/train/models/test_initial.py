from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_edge.errors import ContractError, ModelError
from fer_edge.models.find_model import find_model, list_bundled_models
from fer_edge.models.spec import ModelSpec
from fer_train.models.bn_cnn import build_bn_cnn
from fer_train.models.initial import copy_body, find_initial_model, load_initial_network
from fer_train.models.loading import open_predictor
from fer_train.models.prediction import predict
from fer_train.models.recovery import recover_network
from fer_train.models.registry import ARCHITECTURES
from fer_train.models.residual import build_mini_resnet


def write_run(folder: Path, spec: ModelSpec, model: keras.Model | None = None) -> Path:
    folder.mkdir()
    (folder / "spec.json").write_text(spec.to_json())
    (model or build_mini_resnet(len(spec.labels))).save(folder / "model.keras")
    return folder


@pytest.mark.parametrize("name", list_bundled_models())
def test_the_network_out_of_a_bundled_file_predicts_what_the_file_does(name: str) -> None:
    images = (
        np.random.default_rng(0).integers(0, 256, (32, 6, 6), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    )
    model = Path(name)
    network = load_initial_network(find_initial_model(model))
    predicted, expected = predict(network, images), predict(open_predictor(model), images)
    assert np.abs(predicted - expected).mean() < 0.02
    assert np.mean(predicted.argmax(axis=1) == expected.argmax(axis=1)) > 0.9


def test_the_body_goes_into_a_network_of_other_labels(tmp_path: Path) -> None:
    source = find_initial_model(write_run(tmp_path / "run", ModelSpec(name="mini-resnet", labels=("a", "b"))))
    network, target = load_initial_network(source), build_mini_resnet(5)
    copy_body(network, target, "run")
    for layer in target.layers:
        same = [
            np.array_equal(*pair)
            for pair in zip(layer.get_weights(), network.get_layer(layer.name).get_weights(), strict=True)
        ]
        assert all(same) or layer.name == "logits", layer.name


def test_a_body_of_another_architecture_is_refused() -> None:
    with pytest.raises(ModelError, match="its layer conv1 differs from that of bn-cnn"):
        copy_body(build_mini_resnet(2), build_bn_cnn(2), "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 96, "height": 96}, "its input is 96×96 pixels in gray, but fer-train trains on 48×48"),
        ({"color": "rgb"}, "its input is 48×48 pixels in rgb"),
        ({"name": "my-net"}, "fer-train cannot build its architecture, 'my-net'"),
    ],
)
def test_a_model_that_cannot_be_built_is_refused_with_the_remedy(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    spec = ModelSpec(name="mini-resnet", labels=("a", "b")).replace(**changes)
    with pytest.raises(ModelError, match=f"{message}.*start from default"):
        find_initial_model(write_run(tmp_path / "run", spec))


def test_a_name_that_is_not_bundled_is_refused_with_those_that_are() -> None:
    with pytest.raises(ModelError, match=r"a bundled model \(default, accurate\), got 'precise'"):
        find_initial_model(Path("precise"))


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing"):
        find_initial_model(tmp_path / "nothing")
    shutil.copy(find_model().path, tmp_path / "cut.tflite")
    content = (tmp_path / "cut.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(content[: len(content) // 2])
    with pytest.raises((ModelError, ContractError), match=r"cut\.tflite"):
        find_initial_model(tmp_path / "cut.tflite")


def test_a_file_of_another_architecture_is_refused() -> None:
    with pytest.raises(ModelError, match="its layers differ from those of mini-resnet"):
        recover_network(find_model(), ARCHITECTURES.load("deep-resnet"))
