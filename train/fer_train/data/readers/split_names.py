"""Interpretation of the names of splits in folders and in the column Usage."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

__all__ = ["ALL_TRAINING", "HOLD_OUT_HINT", "MERGED_TEST", "find_split", "resolve_merged_test"]

MERGED_TEST: Final = "test"
"""A test split that may be FER-2013's PublicTest, its PrivateTest, or both combined."""

ALL_TRAINING: Final = "all faces are used as Training"
"""Consequence of missing splits, for messages; :data:`HOLD_OUT_HINT` is the hint of a message that ends with it."""

HOLD_OUT_HINT: Final = "hold some of them out for evaluation with: fer-train fit --val-share 0.2"

_NAMES: Final = {
    "train": "Training",
    "training": "Training",
    "val": "PublicTest",
    "valid": "PublicTest",
    "validation": "PublicTest",
    "dev": "PublicTest",
    "publictest": "PublicTest",
    "testpublic": "PublicTest",
    "test": MERGED_TEST,
    "testing": MERGED_TEST,
    "privatetest": "PrivateTest",
    "testprivate": "PrivateTest",
}


def find_split(name: str) -> str | None:
    """Return the split with the given name.

    It is Training, PublicTest, PrivateTest or :data:`MERGED_TEST`. Ignores case, spaces, underscores, periods, hyphens,
    and ``set`` or ``data`` at the end. Returns None for any other name.
    """
    plain = re.sub(r"[\s_.-]+", "", name).casefold()
    return _NAMES.get(plain) or _NAMES.get(re.sub(r"(?:set|data)$", "", plain))


def resolve_merged_test(present: Collection[str]) -> str:
    """Return which of FER-2013's splits a merged test split is.

    ``present`` are the other splits. It is PublicTest if there is no validation split, so that PrivateTest stays
    unused, and PrivateTest otherwise.
    """
    return "PrivateTest" if "PublicTest" in present else "PublicTest"
