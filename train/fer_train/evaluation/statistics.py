"""What is within chance: intervals of shares, and tests of paired answers. The standard library alone."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["SIGNIFICANCE", "mcnemar_p_value", "wilson_interval"]

SIGNIFICANCE: Final = 0.05
_Z: Final = 1.959963984540054  # the normal distribution's 97.5 % point


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Compute the 95 % interval of a share, ``right`` of ``total`` > 0, as (low, high), each 0…1.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927: it stays inside 0…1
    and means what it says for few samples too.
    """
    share, z2 = right / total, _Z**2
    center = (share + z2 / (2 * total)) / (1 + z2 / total)
    spread = _Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return max(0.0, center - spread), min(1.0, center + spread)


def mcnemar_p_value(lost: int, won: int) -> float:
    """Compute how probable it is by chance that paired answers changed so unevenly, or more so: 0…1, two-sided.

    ``lost`` answers were right before and wrong after, ``won`` the other way round. The exact test, by the binomial
    distribution: Q. McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """
    changed = lost + won
    tail = sum(math.comb(changed, count) for count in range(min(lost, won) + 1))
    # Python's integers are exact; the quotient of two large ones is what a float can hold.
    total: int = 2**changed
    return min(1.0, 2 * tail / total)
