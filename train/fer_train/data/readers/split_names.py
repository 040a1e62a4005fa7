"""The splits of a data set by the names that people give them, in folders and in the column Usage."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

__all__ = ["ALL_TRAINING", "MERGED_TEST", "find_split", "resolve_merged_test"]

MERGED_TEST: Final = "test"
"""A test split that may be FER-2013's PublicTest, its PrivateTest or both in one."""

ALL_TRAINING: Final = (
    "all faces are taken for Training; fer-train fit --val-share 0.2 holds a part of them out to measure on"
)
"""What follows where no splits are named, for messages."""

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
    """Find the split that goes by a name: Training, PublicTest, PrivateTest or :data:`MERGED_TEST`.

    Case, blanks, underscores and hyphens play no part, nor does a ``set`` or ``data`` at the end. None for any
    other name.
    """
    plain = re.sub(r"[\s_.-]+", "", name).casefold()
    return _NAMES.get(plain) or _NAMES.get(re.sub(r"(?:set|data)$", "", plain))


def resolve_merged_test(present: Collection[str]) -> str:
    """Tell which of FER-2013's splits a merged test split stands for, beside the other ``present`` ones.

    It is PublicTest where there is no validation split, so that PrivateTest stays held back, and PrivateTest where
    there is one.
    """
    return "PrivateTest" if "PublicTest" in present else "PublicTest"
