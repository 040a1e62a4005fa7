"""What is fuzzed: kinds of input, and how one of them went."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hypothesis.strategies import SearchStrategy

__all__ = ["BAD", "CaseName", "Kind", "Outcome"]

BAD = ("traceback", "crash", "slow", "memory")
"""What must not happen: neither a result nor an error of one line."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input.

    ``values`` makes its strategy; ``run`` takes one value, and an empty folder to work in. It may raise FerEdgeError,
    and AssertionError where a result is wrong. ``batch`` cases are drawn together, ``share`` is how many batches this
    kind has for one of the others.
    """

    values: Callable[[], SearchStrategy[Any]]
    run: Callable[[Any, Path], None]
    batch: int = 50
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class CaseName:
    """What makes a case again: its kind, the seed of its batch, its place there."""

    kind: str
    seed: int
    index: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.seed}:{self.index}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``kind:seed:index``; raises ValueError."""
        match = re.fullmatch(r"([a-z-]+):(\d+):(\d+)", text)
        if match is None:
            raise ValueError(f"expected kind:seed:index, got {text!r}")
        return cls(match[1], int(match[2]), int(match[3]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case went: ``result``, ``error``, or one of BAD; ``detail`` is what was raised."""

    case: CaseName
    what: str
    detail: str = ""
    seconds: float = 0.0
    memory_mb: float = 0.0
