"""Confidence intervals of shares, and tests of paired predictions.

Needs only the standard library.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["SIGNIFICANCE", "mcnemar_p_value", "wilson_interval"]

SIGNIFICANCE: Final = 0.05
_Z: Final = 1.959963984540054  # the 97.5th percentile of the normal distribution


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Compute the 95 % interval of ``right / total`` as (low, high), each 0…1.

    ``total`` must be above 0. E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    1927: the interval stays within 0…1 and is also accurate for few samples.
    """
    share, z2 = right / total, _Z**2
    center = (share + z2 / (2 * total)) / (1 + z2 / total)
    spread = _Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return max(0.0, center - spread), min(1.0, center + spread)


def mcnemar_p_value(lost: int, won: int) -> float:
    """Compute the two-sided p-value of the exact McNemar test, 0…1.

    ``lost`` predictions were correct before and wrong after, ``won`` the other way round. The exact test uses the
    binomial distribution: Q. McNemar, "Note on the sampling error of the difference between correlated proportions",
    1947.
    """
    changed = lost + won
    tail = sum(math.comb(changed, count) for count in range(min(lost, won) + 1))
    # Exact integers: their quotient fits into a float even where they do not.
    total: int = 2**changed
    return min(1.0, 2 * tail / total)
