"""The kinds of fuzzed input, and the outcome of a case."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hypothesis.strategies import SearchStrategy

__all__ = ["BAD", "CaseName", "Kind", "Outcome"]

BAD = ("traceback", "crash", "slow", "memory")
"""Failures: neither a result nor a one-line error."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input.

    ``values`` creates its strategy; ``run`` takes one value and an empty working folder. It may raise FerEdgeError, and
    AssertionError if a result is wrong. ``batch`` cases are drawn together; ``share`` is the number of batches relative
    to other kinds.
    """

    values: Callable[[], SearchStrategy[Any]]
    run: Callable[[Any, Path], None]
    batch: int = 50
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class CaseName:
    """The name that reproduces a case: its kind, the seed of its batch, and its index."""

    kind: str
    seed: int
    index: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.seed}:{self.index}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``kind:seed:index``; raise ValueError if malformed."""
        match = re.fullmatch(r"([a-z-]+):(\d+):(\d+)", text)
        if match is None:
            raise ValueError(f"expected kind:seed:index, got {text!r}")
        return cls(match[1], int(match[2]), int(match[3]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a case: ``result``, ``error``, or one of BAD; ``detail`` is the exception."""

    case: CaseName
    what: str
    detail: str = ""
    seconds: float = 0.0
    memory_mb: float = 0.0
