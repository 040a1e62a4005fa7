"""A model's card: what it is, what it is worth, where it comes from, what it must not be used for."""

from __future__ import annotations

import json
from typing import Any

from fer_edge.models.find_model import ModelFile
from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE, ModelSpec

__all__ = ["card"]


def card(model: ModelFile, name: str, report: dict[str, Any]) -> str:
    """The card, in Markdown, of a file that is bundled as ``name``, from its conversion's report."""
    spec, file = model.spec, report["files"][f"{model.spec.variant}.tflite"]
    split, samples, keras = report["split"], report["samples"], report["keras"]
    return f"""# {spec.name}, {spec.variant}: the {name} model of fer-edge

Says of one face how probable each of {len(spec.labels)} emotions is: {", ".join(spec.labels)}. What it
judges is the expression that a picture shows, not what the person feels.

| | |
| --- | --- |
| file | `{name}.tflite`, {file["bytes"]:,} bytes |
| sha256 | `{file["sha256"]}` |
| architecture | {spec.name}, {report["source"]["parameters"]:,} parameters |
| quantization | {_QUANTIZATION[spec.variant]} |
| operators | {", ".join(file["operators"])}; all of them built into TFLite |
| input | `image`: 1 × {spec.height} × {spec.width} × {spec.channels}, \
{"grey (ITU-R BT.601)" if spec.color == "gray" else "RGB"}, (pixel − {PIXEL_MEAN}) / {PIXEL_SCALE}\
{f"; as int8: pixel − {PIXEL_MEAN}" if spec.variant == "int8" else ""} |
| crop | {_crop(spec)}; resized by {spec.interpolation} |
| output | `emotion`: 1 × {len(spec.labels)} probabilities in the order {", ".join(spec.labels)} |

## What it is worth

On the {samples:,} faces of {split}:

| | correct | mean of the classes |
| --- | ---: | ---: |
| before conversion (Keras, float32) | {_percents(keras)} |
| this file ({spec.variant}) | {_percents(file)} |

The two give the same answer for {_percent(file["top1_agreement"])} of the faces; a probability differs by
{file["mean_probability_difference"]:.4f} on average and by {file["max_probability_difference"]:.3f} at most.
Of the faces of each emotion it recognises: {_recalls(file)}.

To measure it again, anywhere: `fer-convert verify {name} --data fer2013.tar.gz --split {split}`

## Where it comes from

{_provenance(spec.provenance)}

The weights were learned from pictures that were collected for research; take them for research and
demonstration, and train your own on data that you may use for anything else. The code's licence does not
extend to them.

## What it is for, and what not

Meant for demonstrations, teaching, and interactive installations, where a wrong answer costs nothing.
Not meant to judge people: not for hiring, policing, medicine, schools or advertising, and not for finding
out what somebody feels. In the European Union, emotion recognition at work and in schools is prohibited
(Regulation (EU) 2024/1689, article 5).

Its limits: about one answer in {_one_in(1 - file["accuracy"])} is wrong on pictures like those it was
tested on, and people agree on those themselves only about two times in three. It knows frontal faces found
on the web; faces in profile, partly hidden, very dark or smaller than {spec.width} pixels, small children,
and groups that its training pictures hold few of are recognised less well. How well by age, gender or skin
colour has not been measured: the data set does not say whom it shows.
"""


_QUANTIZATION = {
    "float32": "none",
    "float16": "float16 weights, computed in float32",
    "dynamic": "int8 weights, float32 in and out",
    "int8": "int8 weights (per channel), activations, input and output",
}


def _crop(spec: ModelSpec) -> str:
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


def _percents(figures: dict[str, Any]) -> str:
    return " | ".join(_percent(figures[key]) for key in ("accuracy", "mean_class_accuracy"))


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _one_in(share: float) -> str:
    return f"{1 / max(share, 1e-3):.1f}".removesuffix(".0")


def _recalls(file: dict[str, Any]) -> str:
    recalls = {label: figures["recall"] for label, figures in file["per_class"].items()}
    return ", ".join(
        f"{label} {100 * recall:.0f} %" for label, recall in recalls.items() if recall is not None
    )


def _provenance(provenance: dict[str, Any]) -> str:
    rows = [f"| {key.replace('_', ' ')} | {_cell(value)} |" for key, value in provenance.items()]
    return "\n".join(["| | |", "| --- | --- |", *rows])


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("|", "\\|").replace("\n", " ")
