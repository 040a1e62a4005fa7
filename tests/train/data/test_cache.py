from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_train.data.cache import find_cache_folder
from fer_train.data.dataset import load_faces

Rows = list[tuple[int, str, str]]


def write_noise(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (48, 48), np.uint8))


class TestCache:
    def test_the_second_time_comes_from_the_cache(
        self, small_csv: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = load_faces(small_csv)
        monkeypatch.setitem(sys.modules, "pandas", None)  # without pandas, no table can be read
        second = load_faces(small_csv)
        assert second.digest() == first.digest()
        assert np.array_equal(second.source_rows, first.source_rows)

    @pytest.mark.parametrize("form", ["csv", "folder"])
    def test_a_change_of_the_source_is_noticed_whatever_its_time(
        self, form: str, tmp_path: Path, small_csv: Path
    ) -> None:
        source = file = small_csv
        if form == "folder":
            source, file = tmp_path / "faces", tmp_path / "faces/train/b/1.png"
            for seed, name in enumerate("ab"):
                write_noise(source / "train" / name / "1.png", seed)
        before, times = load_faces(source), file.stat()
        if form == "csv":
            file.write_text(file.read_text().replace("\n0,", "\n6,", 1))
        else:
            write_noise(file, 9)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert load_faces(source).digest() != before.digest()

    @pytest.mark.parametrize(
        "damage", [b"", b"PK\x03\x04 no archive", None], ids=["empty", "garbage", "another"]
    )
    def test_a_damaged_cache_is_created_again(
        self, damage: bytes | None, own_cache: Path, small_csv: Path
    ) -> None:
        first = load_faces(small_csv)
        (kept,) = own_cache.glob("*.npz")
        if damage is None:
            np.savez(kept, other=np.arange(3))
        else:
            kept.write_bytes(damage)
        assert load_faces(small_csv).digest() == first.digest()

    def test_a_cache_that_cannot_be_written_is_no_error(
        self, small_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "file" / "cache"))
        assert len(load_faces(small_csv)) == 56

    def test_it_keeps_the_latest_data_sets_and_nothing_half_written(
        self, own_cache: Path, tmp_path: Path, make_rows: Callable[..., Rows], csv_text: Callable[[Rows], str]
    ) -> None:
        for seed in range(10):
            path = tmp_path / f"{seed}.csv"
            path.write_text(csv_text(make_rows(7, 0, seed=seed)))
            load_faces(path)
        assert len(list(own_cache.iterdir())) == 8

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has different permissions")
    def test_faces_are_readable_for_the_user_alone(self, own_cache: Path, small_csv: Path) -> None:
        load_faces(small_csv)
        (kept,) = find_cache_folder().iterdir()
        assert kept.parent == own_cache
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
