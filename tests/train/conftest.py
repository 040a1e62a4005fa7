"""Data sets in the formats in which FER-2013 is distributed, and the real ones if available."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

USAGES = ("Training", "PublicTest", "PrivateTest")
Rows = Sequence[tuple[int, str, str]]
"""The emotion, the pixels as text, and the Usage of each face."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            # Keras converts TensorFlow tensors to arrays in a way that NumPy 2 deprecates.
            item.add_marker(
                pytest.mark.filterwarnings(
                    "ignore:__array__ implementation doesn't accept:DeprecationWarning"
                )
            )


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache folder shared by all tests, so that FER-2013 is decoded once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_EDGE_CACHE", str(cache))


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., list[tuple[int, str, str]]]:
    """Return rows of faces whose bright area shows their emotion, so that a network can learn it."""

    def rows(
        training: int = 42, public: int = 14, private: int = 0, seed: int = 0
    ) -> list[tuple[int, str, str]]:
        rng = np.random.default_rng(seed)
        made = []
        for usage, count in zip(USAGES, (training, public, private), strict=True):
            for index in range(count):
                emotion = index % 7
                face = rng.integers(0, 120, (48, 48))
                face[emotion * 6 : emotion * 6 + 8] += 100
                made.append((emotion, " ".join(map(str, face.ravel())), usage))
        return made

    return rows


@pytest.fixture(scope="session")
def csv_text() -> Callable[[Rows], str]:
    """Return the rows in the format of fer2013.csv."""

    def text(rows: Rows) -> str:
        lines = [f"{emotion},{pixels},{usage}" for emotion, pixels, usage in rows]
        return "\n".join(["emotion,pixels,Usage", *lines]) + "\n"

    return text


@pytest.fixture
def small_csv(
    tmp_path: Path, make_rows: Callable[..., list[tuple[int, str, str]]], csv_text: Callable[[Rows], str]
) -> Path:
    """Write a fer2013.csv of 42 training and 14 validation faces."""
    path = tmp_path / "fer2013.csv"
    path.write_text(csv_text(make_rows()))
    return path
