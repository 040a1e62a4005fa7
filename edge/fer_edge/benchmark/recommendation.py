"""Which of the models measured to run here, on how many threads, and whether int8 pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fer_edge.benchmark.frame_budget import choose_affordable, find_common_split, measure_budgets
from fer_edge.benchmark.models import Measurement

__all__ = ["Recommendation", "recommend"]

_ALIKE: Final = 1.05  # what differs by less may be noise
_FLOATS: Final = ("float32", "float16")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model, the fewest threads that make the most of it, and the reason in one line."""

    model: str
    threads: int
    text: str


def recommend(measurements: Sequence[Measurement]) -> Recommendation:
    """What to run here, from measurements of each model on 1…N threads.

    Of different networks it is the most accurate one that keeps up with a camera. Models of one network are compared
    by one inference on one thread, as a video's interpreters run; a float model is preferred to the int8 one where
    that is not faster.
    """
    reason, best = _choose_model([m for m in measurements if m.threads == 1], measurements)
    turns = [m for m in measurements if m.name == best]
    enough = max(m.fps for m in turns) / _ALIKE
    chosen = min((m for m in turns if m.fps >= enough), key=lambda m: m.threads)
    text = f"--model {best} --threads {chosen.threads}: {chosen.fps:.0f} frames a second; {reason}"
    return Recommendation(best, chosen.threads, text)


def _choose_model(single: Sequence[Measurement], measurements: Sequence[Measurement]) -> tuple[str, str]:
    """The reason for the model to run, and its name; ``single`` are the measurements on one thread."""
    best = min(single, key=lambda m: m.inference_ms)
    family = [m for m in single if m.model.spec.name == best.model.spec.name]
    int8 = _fastest(family, ("int8",))
    floating = _fastest(family, _FLOATS)
    if int8 is not None and floating is not None:
        reason, best = _verdict(int8, floating, best)
        return reason, best.name
    budgets = measure_budgets(measurements)
    split = find_common_split(budgets)
    if split is not None and len({m.model.spec.name for m in single}) > 1:
        affordable, reason = choose_affordable(budgets, split)
        return reason, affordable.name
    return "whether int8 pays here shows when a network's int8 and float32 files are both measured", best.name


def _fastest(measurements: Sequence[Measurement], variants: Sequence[str]) -> Measurement | None:
    fitting = [m for m in measurements if m.model.spec.variant in variants]
    return min(fitting, key=lambda m: m.inference_ms, default=None)


def _verdict(int8: Measurement, floating: Measurement, best: Measurement) -> tuple[str, Measurement]:
    """What the int8 file of a network gains over its float file, and which is the one to run."""
    name = floating.model.spec.variant
    figures = f"({int8.inference_ms:.2f} against {floating.inference_ms:.2f} ms an inference)"
    gain = floating.inference_ms / int8.inference_ms
    if gain >= _ALIKE:
        return f"int8 is {gain:.1f} times as fast as {name} here {figures}", best
    return f"int8 is not faster than {name} here {figures}, only smaller", floating if best is int8 else best
