"""Recommend a measured model and a number of threads, and assess the gain of int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fer_edge.benchmark.frame_budget import choose_affordable, find_common_split, measure_budgets
from fer_edge.benchmark.models import Measurement

__all__ = ["Recommendation", "recommend"]

_ALIKE: Final = 1.05  # smaller differences may be noise
_FLOATS: Final = ("float32", "float16")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model, the fewest threads that nearly reach its top speed, and the reason."""

    model: str
    threads: int
    text: str


def recommend(measurements: Sequence[Measurement]) -> Recommendation:
    """Recommend what to run, from measurements of each model on 1…N threads.

    Of different networks, the most accurate one that keeps up with a camera is recommended. Models of the same network
    are compared by single inferences on one thread, as in video processing; a float model is preferred to an int8 model
    that is not faster.
    """
    reason, best = _choose_model([m for m in measurements if m.threads == 1], measurements)
    turns = [m for m in measurements if m.name == best]
    enough = max(m.fps for m in turns) / _ALIKE
    chosen = min((m for m in turns if m.fps >= enough), key=lambda m: m.threads)
    text = f"--model {best} --threads {chosen.threads}: {chosen.fps:.0f} frames a second; {reason}"
    return Recommendation(best, chosen.threads, text)


def _choose_model(single: Sequence[Measurement], measurements: Sequence[Measurement]) -> tuple[str, str]:
    """Return the reason for a model and its name.

    ``single`` are the measurements on one thread.
    """
    best = min(single, key=lambda m: m.inference_ms)
    family = [m for m in single if m.model.spec.name == best.model.spec.name]
    int8 = _find_fastest(family, ("int8",))
    floating = _find_fastest(family, _FLOATS)
    if int8 is not None and floating is not None:
        reason, best = _compare_variants(int8, floating, best)
        return reason, best.name
    budgets = measure_budgets(measurements)
    split = find_common_split(budgets)
    if split is not None and len({m.model.spec.name for m in single}) > 1:
        affordable, reason = choose_affordable(budgets, split)
        return reason, affordable.name
    return "to see whether int8 is faster, measure both the int8 and the float32 file of a network", best.name


def _find_fastest(measurements: Sequence[Measurement], variants: Sequence[str]) -> Measurement | None:
    fitting = [m for m in measurements if m.model.spec.variant in variants]
    return min(fitting, key=lambda m: m.inference_ms, default=None)


def _compare_variants(int8: Measurement, floating: Measurement, best: Measurement) -> tuple[str, Measurement]:
    """Compare a network's int8 and float files; return the verdict and the better one."""
    name = floating.model.spec.variant
    figures = f"({int8.inference_ms:.2f} vs. {floating.inference_ms:.2f} ms per inference)"
    gain = floating.inference_ms / int8.inference_ms
    if gain >= _ALIKE:
        return f"int8 is {gain:.1f} times as fast as {name} on this machine {figures}", best
    return (
        f"int8 is smaller but not faster than {name} on this machine {figures}",
        floating if best is int8 else best,
    )
