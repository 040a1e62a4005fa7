"""The model card of a bundled model: properties, quality, origin, intended use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from fer_convert.conversion.report import ConversionReport, FileReport
from fer_convert.formatting import format_percent
from fer_convert.verification.report import Metrics
from fer_edge.models.find_model import ModelFile
from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE, ModelSpec
from fer_train.evaluation.report import format_interval
from fer_train.evaluation.report import format_percent as format_class_percent
from fer_train.evaluation.statistics import SIGNIFICANCE

__all__ = ["render_model_card"]

_TEMPLATE: Final = """# {architecture}, {variant}: the {name} model of fer-edge

Estimates the probability of each of {label_count} emotions for one face: {labels}. It
classifies the expression in an image, not what the person feels.

| | |
| --- | --- |
| file | `{name}.tflite`, {bytes:,} bytes |
| sha256 | `{sha256}` |
| architecture | {architecture}, {parameters:,} parameters |
| quantization | {quantization} |
| operators | {operators}; all built into TFLite |
| input | `image`: {input} |
| crop | {crop}; resized with {interpolation} interpolation |
| output | `emotion`: 1 × {label_count} probabilities in the order {labels} |

## Quality

On the {samples:,} faces of {split}:

| | accuracy | 95 % interval (Wilson) | mean class accuracy | expected calibration error |
| --- | ---: | ---: | ---: | ---: |
| before conversion (Keras, float32) | {keras_accuracies} |
| this file ({variant}) | {file_accuracies} |
| this file, with mirror images averaged | {flip_accuracies} |

The network and this file predict the same emotion for {agreement} of the faces. Their probabilities differ by
{mean_difference:.4f} on average and by at most {max_difference:.3f}. {drop}

| emotion | faces | recall | 95 % interval | precision |
| --- | ---: | ---: | ---: | ---: |
{classes}

To reproduce these figures on any machine, run `fer-convert verify {name} --data fer2013.tar.gz --split {split}`;
add `--flip-average` to average mirror images.

## Origin

{provenance}

The weights were trained on images collected for research. Use them for research and demonstrations; for any other
purpose, train your own model on data that you are allowed to use. The license of the code does not apply to the
weights.

## Intended use and limitations

The model is intended for demonstrations, teaching, and interactive installations, where a wrong prediction does no
harm. It is not intended to judge people: do not use it for hiring, policing, medicine, schools or advertising, or to
find out what somebody feels. In the European Union, emotion recognition at work and in schools is prohibited
(Regulation (EU) 2024/1689, article 5).

About one prediction in {one_wrong_in} is wrong on images like those it was tested on; people agree on these images
only about two times in three. The model was trained on frontal faces found on the web. It is less accurate for faces
that are in profile, partly hidden, very dark or smaller than {width} pixels, for small children, and for groups that
are rare in its training images. Its accuracy by age, gender or skin color has not been measured, because the data set
does not contain this information.
"""

_QUANTIZATION: Final = {
    "float32": "none",
    "float16": "float16 weights, computed in float32",
    "dynamic": "int8 weights, float32 input and output",
    "int8": "int8 weights (per channel), activations, input and output",
}


def render_model_card(model: ModelFile, name: str, report: ConversionReport, flipped: Metrics) -> str:
    """Render the model card, in Markdown, of the bundled model ``name``.

    ``report`` is the report of its conversion; ``flipped`` are its metrics with mirror images averaged.
    """
    spec, file = model.spec, report["files"][f"{model.spec.variant}.tflite"]
    return _TEMPLATE.format(
        name=name,
        architecture=spec.name,
        variant=spec.variant,
        label_count=len(spec.labels),
        labels=", ".join(spec.labels),
        bytes=file["bytes"],
        sha256=file["sha256"],
        parameters=report["source"]["parameters"],
        quantization=_QUANTIZATION[spec.variant],
        operators=", ".join(file["operators"]),
        input=_describe_input(spec),
        crop=_describe_crop(spec),
        interpolation=spec.interpolation,
        samples=report["samples"],
        split=report["split"],
        keras_accuracies=_format_accuracies(report["keras"]),
        file_accuracies=_format_accuracies(file),
        flip_accuracies=_format_accuracies(flipped),
        agreement=format_percent(file["top1_agreement"]),
        mean_difference=file["mean_probability_difference"],
        max_difference=file["max_probability_difference"],
        drop=_format_drop(file),
        classes=_format_classes(file),
        provenance=_format_provenance(spec.provenance),
        one_wrong_in=f"{1 / max(1 - file['accuracy'], 1e-3):.1f}".removesuffix(".0"),
        width=spec.width,
    )


def _describe_input(spec: ModelSpec) -> str:
    color = "gray (ITU-R BT.601)" if spec.color == "gray" else "RGB"
    as_int8 = f"; as int8: pixel − {PIXEL_MEAN}" if spec.variant == "int8" else ""
    return (
        f"1 × {spec.height} × {spec.width} × {spec.channels}, {color}, "
        f"(pixel − {PIXEL_MEAN}) / {PIXEL_SCALE}{as_int8}"
    )


def _describe_crop(spec: ModelSpec) -> str:
    steps = ["the detector's box"]
    if spec.crop.square:
        steps.append("made square")
    if spec.crop.margin:
        steps.append(f"{100 * spec.crop.margin:+g} % on each side")
    if spec.crop.shift_y:
        steps.append(
            f"moved {'down' if spec.crop.shift_y > 0 else 'up'} by {100 * abs(spec.crop.shift_y):g} %"
        )
    return ", ".join(steps)


def _format_accuracies(metrics: Metrics) -> str:
    cells = (
        format_percent(metrics["accuracy"]),
        format_interval(metrics["accuracy_interval"]),
        format_percent(metrics["mean_class_accuracy"]),
        f"{metrics['calibration']['ece']:.3f}",
    )
    return " | ".join(cells)


def _format_drop(file: FileReport) -> str:
    """State the change of accuracy, and whether it is significant."""
    points, p = file["accuracy_drop_points"], file["drop_p_value"]
    if not points:
        return f"The accuracy is the same (McNemar, p = {p:.2g})."
    verdict = "not significant" if p >= SIGNIFICANCE else "significant"
    direction = "lower" if points > 0 else "higher"
    return f"The accuracy is {abs(points):.2f} points {direction}, which is {verdict} (McNemar, p = {p:.2g})."


def _format_classes(file: FileReport) -> str:
    rows = [
        f"| {label} | {figures['support']:,} | {format_class_percent(figures['recall'])} "
        f"| {format_interval(figures['recall_interval'])} | {format_class_percent(figures['precision'])} |"
        for label, figures in file["per_class"].items()
    ]
    return "\n".join(rows)


def _format_provenance(provenance: Mapping[str, Any]) -> str:
    rows = [f"| {key.replace('_', ' ')} | {_format_cell(value)} |" for key, value in provenance.items()]
    return "\n".join(["| | |", "| --- | --- |", *rows])


def _format_cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("|", "\\|").replace("\n", " ")
