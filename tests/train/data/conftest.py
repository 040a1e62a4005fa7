"""A separate cache for each test."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a separate cache folder."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FER_EDGE_CACHE", str(folder))
    return folder
