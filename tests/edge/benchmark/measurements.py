"""Synthetic measurements."""

from __future__ import annotations

from dataclasses import replace

from fer_edge.benchmark.models import Measurement
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.models.spec import Variant
from fer_edge.runtime.latency import STAGES


def model_file(variant: Variant, network: str = "net", accuracy: float | None = None) -> ModelFile:
    """Return the bundled model under another name, optionally with a PublicTest accuracy."""
    model = find_model()
    measured = {} if accuracy is None else {"PublicTest": {"accuracy": accuracy}}
    return replace(model, spec=replace(model.spec, name=network, variant=variant, accuracy=measured))


def measured(
    model: ModelFile, ms: float, fps: float, threads: int = 1, name: str | None = None
) -> Measurement:
    """Return a measurement with the given times for each inference and stage."""
    m = Measurement(
        name or f"{model.spec.variant}.tflite", model, threads, frames=60, faces=60, size=(960, 540)
    )
    m.inference.add(ms / 1000)
    m.rounds.append(fps)
    for stage in STAGES:
        m.stages.add(stage, ms / 1000)
    return m
