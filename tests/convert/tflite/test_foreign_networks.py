"""Networks from elsewhere: each can be attached and run, or is rejected in one line with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.tflite.container import embed_spec
from fer_edge.classification.classifier import Classifier
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, ModelSpec, read_spec
from tests.convert.tflite import foreign

FerConvert = Callable[..., tuple[int, str, str]]
SPEC = ModelSpec(name="theirs", labels=FER2013_LABELS)


@pytest.fixture
def spec_path(tmp_path: Path) -> Path:
    path = tmp_path / "spec.json"
    path.write_text(SPEC.to_json())
    return path


@pytest.fixture(scope="module")
def plain() -> bytes:
    """Build a network that matches the spec."""
    return foreign.convert(foreign.build())


def attach(
    fer_convert: FerConvert, tmp_path: Path, content: bytes, *options: str | Path
) -> tuple[int, str, str]:
    """Attach the spec in ``spec.json`` to a file with this content."""
    path = foreign.write(tmp_path / "theirs.tflite", content)
    return fer_convert("attach", path, "--spec", tmp_path / "spec.json", *options)


def assert_refused(found: tuple[int, str, str], *parts: str) -> None:
    status, out, err = found
    assert status == 1
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("Error: ")
    for part in parts:
        assert part in line


def test_a_network_that_suits_its_spec_is_attached_without_a_warning(
    plain: bytes, spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    status, out, err = attach(fer_convert, tmp_path, plain)
    assert (status, err) == (0, "")
    assert "now has the model spec of theirs (float32)" in out
    assert "the file does not state whether it was trained on this range" in out


# --- outputs ---


def logits() -> bytes:
    return foreign.convert(foreign.build(end=None))


def int8_logits() -> bytes:
    import tensorflow as tf

    return foreign.convert(foreign.build(end=None), integers=tf.int8)


def uint8_sigmoids() -> bytes:
    import tensorflow as tf

    return foreign.convert(foreign.build(end="sigmoid"), integers=tf.uint8)


def without_numbers() -> bytes:
    model = foreign.build()
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel, bias * np.nan])
    return foreign.convert(model)


def without_input() -> bytes:
    model = foreign.build()
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * 0, bias + np.arange(7)])
    return foreign.convert(model)


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (logits, ["logits, not probabilities", "keras.layers.Softmax()(model.output)"]),
        (int8_logits, ["logits, not probabilities"]),
        (
            lambda: foreign.convert(foreign.build(end="sigmoid")),
            ["do not sum to 1", "sigmoid", "Softmax()"],
        ),
        (uint8_sigmoids, ["do not sum to 1", "sigmoid"]),
        (lambda: foreign.convert(foreign.build(end="log_softmax")), ["log-probabilities"]),
        (without_numbers, ["not finite (nan", "weights are damaged"]),
        (without_input, ["the same for every image", "Rescaling"]),
    ],
    ids=["logits", "int8-logits", "sigmoid", "uint8-sigmoid", "log-softmax", "nan", "constant"],
)
def test_outputs_that_are_no_probabilities_are_refused(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert, make: Callable[[], bytes], parts: list[str]
) -> None:
    assert_refused(attach(fer_convert, tmp_path, make()), "theirs.tflite: ", *parts)


@pytest.mark.parametrize(
    ("make", "says"), [(logits, "its outputs are logits"), (without_numbers, "its outputs are not finite")]
)
def test_the_runtime_refuses_them_before_the_first_image(
    tmp_path: Path,
    portrait_path: Path,
    capfd: pytest.CaptureFixture[str],
    make: Callable[[], bytes],
    says: str,
) -> None:
    from fer_edge.cli.app import run_command
    from fer_edge.cli.main import cli

    path = foreign.write(tmp_path / "theirs.tflite", embed_spec(make(), SPEC))
    results = tmp_path / "results.jsonl"
    arguments = ["image", str(portrait_path), "--model", str(path), "--results", str(results)]
    assert run_command(cli, arguments, "fer-edge") == 1
    _, err = capfd.readouterr()
    (line,) = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert f"theirs.tflite: {says}" in line
    assert not results.exists()


@pytest.mark.parametrize(("gain", "integers"), [(0.3, False), (0.3, True), (300.0, False), (300.0, True)])
def test_an_inaccurate_or_overconfident_network_is_accepted(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert, gain: float, integers: bool
) -> None:
    import tensorflow as tf

    content = foreign.convert(foreign.build(gain=gain), integers=tf.int8 if integers else None)
    assert attach(fer_convert, tmp_path, content)[0] == 0


def test_constant_certainty_gives_a_warning(spec_path: Path, tmp_path: Path, fer_convert: FerConvert) -> None:
    status, _, err = attach(fer_convert, tmp_path, foreign.convert(foreign.build(gain=30_000.0)))
    assert status == 0
    (line,) = err.splitlines()
    assert line.startswith("Warning: ")
    assert "almost certain for 11 of 12 probe images" in line


def test_a_network_with_a_state_is_refused(spec_path: Path, tmp_path: Path, fer_convert: FerConvert) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.state = tf.Variable(tf.zeros((1, 7)))

    def remember(image: Any) -> Any:
        seen = 0.5 * module.state + tf.reshape(image, (1, -1))[:, 1000:1007]
        module.state.assign(seen)
        return tf.nn.softmax(seen)

    content = foreign.convert_function(
        remember, (1, 48, 48, 1), module=module, experimental_enable_resource_variables=True
    )
    assert_refused(attach(fer_convert, tmp_path, content), "has a state", "training=False")


def test_recurrent_layers_and_stateless_variables_are_accepted(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    import keras
    import tensorflow as tf

    layers = keras.layers
    keras.utils.set_random_seed(1)
    inputs = keras.Input((48, 48, 1))
    rows = layers.LSTM(8, unroll=True)(layers.Reshape((48, 48))(inputs))
    recurrent = keras.Model(inputs, layers.Dense(7, activation="softmax")(rows))
    assert attach(fer_convert, tmp_path, foreign.convert(recurrent))[0] == 0

    module = tf.Module()
    module.weights = tf.Variable(tf.range(7.0))

    def multiply(image: Any) -> Any:
        return tf.nn.softmax(module.weights * tf.reshape(image, (1, -1))[:, 1000:1007])

    content = foreign.convert_function(
        multiply, (1, 48, 48, 1), module=module, experimental_enable_resource_variables=True
    )
    assert attach(fer_convert, tmp_path, content)[0] == 0


# --- inputs ---


@pytest.mark.parametrize("integers", ["int8", "uint8"])
def test_quantized_inputs_are_fed_as_their_parameters_say(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert, integers: str
) -> None:
    import tensorflow as tf

    model = foreign.build()
    status, out, err = attach(fer_convert, tmp_path, foreign.convert(model, integers=getattr(tf, integers)))
    assert (status, err) == (0, "")
    assert "(int8)" in out
    assert "does not state" not in out, "its quantization does"
    pixels = np.random.default_rng(1).integers(0, 256, (48, 48, 1), np.uint8)
    expected = model.predict(foreign.own_range(pixels.astype(float))[None], verbose=0)[0]
    with Classifier(tmp_path / "theirs.tflite") as classifier:
        np.testing.assert_allclose(classifier.predict(pixels), expected, atol=0.05)


def test_int16_activations_are_supported(spec_path: Path, tmp_path: Path, fer_convert: FerConvert) -> None:
    import tensorflow as tf

    operators = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    content = foreign.convert(foreign.build(), integers=tf.int16, operators=operators)
    assert attach(fer_convert, tmp_path, content)[0] == 0


@pytest.mark.parametrize(
    ("integers", "scale", "layer"),
    [
        ("int8", lambda pixels: pixels / 255, "Rescaling(64 / 255, offset=128 / 255)"),
        ("uint8", lambda pixels: pixels / 127.5 - 1, "Rescaling(64 / 127.5, offset=0.5 / 127.5)"),
        ("int8", lambda pixels: pixels, "Rescaling(64, offset=128)"),
    ],
    ids=["0…1", "-1…1", "0…255"],
)
def test_quantization_to_another_range_is_refused_with_the_layer_that_fixes_it(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert, integers: str, scale: foreign.Scale, layer: str
) -> None:
    import tensorflow as tf

    content = foreign.convert(foreign.build(), integers=getattr(tf, integers), scale=scale)
    assert_refused(attach(fer_convert, tmp_path, content), f"{integers} input", layer)


def test_a_float_input_quantized_inside_reveals_its_range(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    import tensorflow as tf

    content = foreign.convert(foreign.build(), integers=tf.float32, scale=lambda pixels: pixels / 255)
    assert_refused(attach(fer_convert, tmp_path, content), "quantizes its input", "Rescaling(64 / 255")
    assert attach(fer_convert, tmp_path, foreign.convert(foreign.build(), integers=tf.float32))[0] == 0


def test_a_network_that_scales_0_to_255_itself_is_refused(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    import keras

    layers = keras.layers
    scaled = foreign.build(front=[layers.Rescaling(1 / 127.5, offset=-1), layers.ZeroPadding2D(1)])
    assert_refused(
        attach(fer_convert, tmp_path, foreign.convert(scaled)),
        "first layers scale",
        "Rescaling(64, offset=128)",
    )
    fixed = keras.Sequential([keras.Input((48, 48, 1)), layers.Rescaling(64, offset=128), scaled])
    assert attach(fer_convert, tmp_path, foreign.convert(fixed))[0] == 0


def test_a_scale_that_the_converter_folded_away_is_warned_about(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    import keras

    content = foreign.convert(foreign.build(front=[keras.layers.Rescaling(1 / 255)], gain=3.0))
    status, _, err = attach(fer_convert, tmp_path, content)
    assert status == 0
    assert "hardly depend on the image" in err
    assert "keras.layers.Rescaling at its input" in err


def test_images_of_any_size_are_resized_to_the_spec(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    model = foreign.build((None, None, 1))
    assert attach(fer_convert, tmp_path, foreign.convert(model))[0] == 0
    pixels = np.random.default_rng(1).integers(0, 256, (48, 48, 1), np.uint8)
    expected = model.predict(foreign.own_range(pixels.astype(float))[None], verbose=0)[0]
    with Classifier(tmp_path / "theirs.tflite") as classifier:
        np.testing.assert_allclose(classifier.predict(pixels), expected, atol=1e-4)


def channels_first() -> bytes:
    import keras

    return foreign.convert(foreign.build((1, 48, 48), front=[keras.layers.Permute((2, 3, 1))]))


def several_heads() -> bytes:
    import keras

    model = foreign.build()
    age = keras.layers.Dense(1)(model.layers[-2].output)
    return foreign.convert(keras.Model(model.input, [model.output, age]))


def several_inputs() -> bytes:
    import keras

    model = foreign.build()
    other = keras.Input((2,))
    x = keras.layers.Concatenate()([model.output, other])
    return foreign.convert(keras.Model([model.input, other], keras.layers.Dense(7, activation="softmax")(x)))


def float16_input() -> bytes:
    import tensorflow as tf

    def network(image: Any) -> Any:
        return tf.nn.softmax(tf.reshape(tf.cast(image, tf.float32), (1, -1))[:, :7])

    return foreign.convert_function(network, (1, 48, 48, 1), tf.float16)


def raw_bytes() -> bytes:
    import tensorflow as tf

    def network(image: Any) -> Any:
        return tf.nn.softmax(tf.reshape(tf.cast(image, tf.float32), (1, -1))[:, :7])

    return foreign.convert_function(network, (1, 48, 48, 1), tf.uint8)


def argmax() -> bytes:
    import tensorflow as tf

    return foreign.convert_function(
        lambda image: tf.argmax(tf.reshape(image, (1, -1))[:, :7], axis=1), (1, 48, 48, 1)
    )


def text_operators(**options: Any) -> bytes:
    """Build a network with operators that TFLite does not have."""
    import tensorflow as tf

    def network(image: Any) -> Any:
        values = tf.strings.as_string(tf.reshape(image, (1, -1))[:, :7])
        return tf.nn.softmax(tf.strings.to_number(values))

    return foreign.convert_function(network, (1, 48, 48, 1), **options)


def flex_operators() -> bytes:
    import tensorflow as tf

    operators = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    return text_operators(target_spec=tf.lite.TargetSpec(supported_ops=operators))


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (channels_first, ["(1, 1, 48, 48)", "channels come first", "Permute((3, 1, 2))"]),
        (lambda: foreign.convert(foreign.build((64, 64, 1))), ['"height": 64, "width": 64']),
        (lambda: foreign.convert(foreign.build((48, 48, 3))), ['"color": "rgb"']),
        (lambda: foreign.convert(foreign.build(labels=8)), ["it has 8 values"]),
        (several_heads, ["2 outputs: ", "(1, 7)", "(1, 1)", "keras.Model(model.input, model.outputs[0])"]),
        (several_inputs, ["2 inputs: ", "(1, 2)"]),
        (float16_input, ["float16 values"]),
        (raw_bytes, ["uint8 input expects pixel (0 to 255)", "Rescaling(64, offset=128)"]),
        (argmax, ["a single value cannot be the probabilities", "without argmax"]),
        (
            lambda: text_operators(allow_custom_ops=True),
            ["custom operators that are not built into TFLite (AsString", "TFLITE_BUILTINS only"],
        ),
        (
            flex_operators,
            ["TensorFlow operators that are not built into TFLite (FlexAsString", "TFLITE_BUILTINS only"],
        ),
    ],
    ids=[
        "channels-first",
        "size",
        "color",
        "8-outputs",
        "heads",
        "inputs",
        "float16",
        "raw-uint8",
        "argmax",
        "custom",
        "flex",
    ],
)
def test_a_network_that_cannot_be_fed_is_refused_with_a_remedy(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert, make: Callable[[], bytes], parts: list[str]
) -> None:
    content = make()
    assert_refused(attach(fer_convert, tmp_path, content), "theirs.tflite: ", *parts)
    assert (tmp_path / "theirs.tflite").read_bytes() == content


def test_outputs_of_any_shape_with_one_number_for_each_label_are_read(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    import keras

    model = foreign.build()
    shaped = keras.Model(model.input, keras.layers.Reshape((1, 1, 7))(model.output))
    assert attach(fer_convert, tmp_path, foreign.convert(shaped))[0] == 0
    with Classifier(tmp_path / "theirs.tflite") as classifier:
        assert classifier.predict(np.zeros((48, 48, 1), np.uint8)).shape == (7,)


@pytest.mark.parametrize("name", ["theirs.tflite", "theirs.keras", "theirs.h5"])
def test_a_keras_file_is_identified(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert, name: str
) -> None:
    path = tmp_path / "network.keras"
    foreign.build().save(path)
    path.rename(tmp_path / name)
    found = fer_convert("attach", tmp_path / name, "--spec", spec_path)
    assert_refused(found, f"{name}: not a TFLite model: it is a Keras network")


# --- metadata in the file ---

SHUFFLED = (*FER2013_LABELS[1:], FER2013_LABELS[0])


def with_labels(network: bytes, labels: tuple[str, ...], name: str = "labels.txt") -> bytes:
    """Return the network with labels as MediaPipe Model Maker writes them."""
    lines = "\n".join(labels)
    return foreign.append_files(foreign.add_metadata(network, labels_file=name, name="Theirs"), {name: lines})


def test_metadata_that_agree_are_kept_in_the_provenance(
    plain: bytes, spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    content = foreign.append_files(
        foreign.add_metadata(plain, mean=[128], std=[64], labels_file="emotions.txt", name="Theirs"),
        {"emotions.txt": "\n".join(FER2013_LABELS).upper(), "license.txt": "ours"},
    )
    assert attach(fer_convert, tmp_path, content)[0] == 0
    path = tmp_path / "theirs.tflite"
    assert read_spec(path).provenance["file_metadata"] == {"name": "Theirs"}
    from fer_convert.tflite.container import read_appended_files

    assert read_appended_files(path.read_bytes())["license.txt"] == b"ours"


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (SHUFFLED, "in a different order than"),
        (("anger", *FER2013_LABELS[1:]), "that differ from"),
        ((*FER2013_LABELS, "contempt"), "that differ from"),
    ],
)
@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "appended"])
def test_labels_that_contradict_the_spec_are_refused(
    plain: bytes,
    spec_path: Path,
    tmp_path: Path,
    fer_convert: FerConvert,
    labels: tuple[str, ...],
    problem: str,
    metadata: bool,
) -> None:
    numbered = "\n".join(f"{number} {label}" for number, label in enumerate(labels))
    content = (
        with_labels(plain, labels) if metadata else foreign.append_files(plain, {"labels.txt": numbered})
    )
    found = attach(fer_convert, tmp_path, content)
    lists = f"({', '.join(labels)}) instead of ({', '.join(FER2013_LABELS)})"
    assert_refused(found, "labels.txt in the file lists labels", problem, lists, "--overwrite")
    assert (tmp_path / "theirs.tflite").read_bytes() == content
    assert attach(fer_convert, tmp_path, content, "--overwrite")[0] == 0
    assert read_spec(tmp_path / "theirs.tflite").labels == FER2013_LABELS


def test_a_normalization_that_contradicts_fer_edge_s_is_refused(
    plain: bytes, spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    content = foreign.add_metadata(plain, mean=[127.5], std=[127.5])
    assert_refused(
        attach(fer_convert, tmp_path, content),
        "according to its metadata",
        "Rescaling(64 / 127.5, offset=0.5 / 127.5)",
    )


def test_damaged_metadata_are_not_silently_overwritten(
    plain: bytes, spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    content = foreign.add_buffer(plain, b"\xff" * 40)
    assert_refused(attach(fer_convert, tmp_path, content), "metadata is damaged")


def test_the_same_spec_is_left_as_it_is(
    plain: bytes, spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    assert attach(fer_convert, tmp_path, plain)[0] == 0
    path = tmp_path / "theirs.tflite"
    before = path.read_bytes()
    status, out, _ = fer_convert("attach", path, "--spec", spec_path)
    assert status == 0
    assert "already has the model spec of theirs" in out
    assert path.read_bytes() == before


def test_another_spec_inside_is_shown_and_replaced_only_when_told(
    plain: bytes, spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    content = embed_spec(plain, SPEC.replace(name="before", interpolation="linear"))
    assert_refused(
        attach(fer_convert, tmp_path, content),
        "name before instead of theirs; interpolation linear instead of area; replace it with --overwrite",
    )
    assert attach(fer_convert, tmp_path, content, "--overwrite")[0] == 0
    assert find_model(tmp_path / "theirs.tflite").spec.name == "theirs"


def test_a_spec_of_a_newer_version_is_not_silently_replaced(
    plain: bytes, spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    newer = SPEC.to_json().replace('"spec_version": 1', '"spec_version": 2')
    content = foreign.append_files(plain, {"fer_edge_spec.json": newer})
    assert_refused(attach(fer_convert, tmp_path, content), "cannot be read", "--overwrite")


# --- networks from common tools ---


def test_teachable_machine_s_network_runs_when_rescaled(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    """A 224×224 RGB input in -1…1, a network inside a network, and labels in a separate file."""
    import keras

    spec_path.write_text(SPEC.replace(width=224, height=224, color="rgb").to_json())
    theirs = keras.Sequential([keras.Input((224, 224, 3)), foreign.build((224, 224, 3))])
    rescaled = keras.Sequential(
        [keras.Input((224, 224, 3)), keras.layers.Rescaling(64 / 127.5, offset=0.5 / 127.5), theirs]
    )
    assert attach(fer_convert, tmp_path, foreign.convert(rescaled))[0] == 0


def test_a_smile_detector_with_one_sigmoid_has_a_remedy_that_works(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    import keras

    spec_path.write_text(SPEC.replace(labels=("calm", "smiling")).to_json())
    theirs = foreign.build(end="sigmoid", labels=1)
    found = attach(fer_convert, tmp_path, foreign.convert(theirs))
    assert_refused(found, "keras.layers.Concatenate()([1 - p, p])")
    p = theirs.output
    fixed = keras.Model(theirs.input, keras.layers.Concatenate()([1 - p, p]))
    assert attach(fer_convert, tmp_path, foreign.convert(fixed))[0] == 0


def test_an_exported_network_with_percentages_has_a_remedy_that_works(
    spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    import keras

    theirs = foreign.build()
    percentages = keras.Model(theirs.input, keras.layers.Rescaling(100.0)(theirs.output))
    found = attach(fer_convert, tmp_path, foreign.convert(percentages))
    assert_refused(found, "sum to 100", "keras.layers.Rescaling(1 / 100)")
    fixed = keras.Model(percentages.input, keras.layers.Rescaling(1 / 100)(percentages.output))
    assert attach(fer_convert, tmp_path, foreign.convert(fixed))[0] == 0


def test_dropout_left_on_is_noticed(spec_path: Path, tmp_path: Path, fer_convert: FerConvert) -> None:
    import tensorflow as tf

    def network(image: Any) -> Any:
        row = tf.reshape(image, (1, -1))[:, 1000:1007]
        return tf.nn.softmax(row + tf.random.uniform((1, 7), -2, 2))

    found = attach(fer_convert, tmp_path, foreign.convert_function(network, (1, 48, 48, 1)))
    assert_refused(found, "is random", "dropout")


def test_a_truncated_file_is_refused(
    plain: bytes, spec_path: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    assert_refused(attach(fer_convert, tmp_path, plain[: len(plain) // 2]), "the file may be truncated")
