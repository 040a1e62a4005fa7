"""Fixtures that all tests share: real pictures, real data where it is there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

# A shell's background job ignores Ctrl-C, and so would the processes that tests start to be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def portrait_path() -> Path:
    """A public-domain portrait with one face."""
    return REPOSITORY / "tests/data/grace_hopper.jpg"


@pytest.fixture
def portrait(portrait_path: Path) -> NDArray[np.uint8]:
    """The portrait as uint8 (height, width, 3) BGR."""
    image = cv2.imread(str(portrait_path))
    assert image is not None
    return np.asarray(image, np.uint8)


@pytest.fixture(scope="session")
def fer2013_path() -> Path | None:
    """FER-2013 where it is there, otherwise None."""
    path = Path(os.environ.get("FER_DATA", REPOSITORY / "../shared/data/fer2013.tar.gz"))
    return path if path.exists() else None
