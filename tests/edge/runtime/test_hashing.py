"""The hash that identifies files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fer_edge.runtime.hashing import sha256_of_file


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 10_000])
def test_it_is_the_content_s_sha256(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert sha256_of_file(path) == hashlib.sha256(content).hexdigest()


def test_a_file_that_is_not_there_is_the_system_s_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sha256_of_file(tmp_path / "missing")
