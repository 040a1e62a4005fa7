"""Prefetching of augmented views in several processes, for a GPU that trains an epoch in a second."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import threading
from dataclasses import dataclass

import numpy as np

from fer_train.data.views import Views, ViewSettings, make_views


@dataclass(frozen=True)
class ViewRequest:
    """The number of a view, and the seed and settings of its set."""

    number: int
    seed: int
    settings: ViewSettings


class ViewsAhead:
    """The requested views in shared memory, created in order by worker processes.

    Create it before anything uses the GPU, because the workers are forks of this process.
    """

    def __init__(self, pixels: np.ndarray, groups: np.ndarray, requests: list[ViewRequest]) -> None:
        self._pixels, self._groups, self._requests = pixels, groups, requests
        count, faces = len(requests), len(pixels)
        self._made = _share((count, *pixels.shape), np.uint8)
        self._shares = _share((count, faces), np.float32)
        self._partners = _share((count, faces), np.int64)
        self._ready = [threading.Event() for _ in requests]
        global _OWN
        _OWN = self  # inherited by the forks
        self._pool = multiprocessing.get_context("fork").Pool(max(1, (os.cpu_count() or 2) - 1))
        threading.Thread(target=self._collect, daemon=True).start()

    def __getitem__(self, place: int) -> Views:
        self._ready[place].wait()
        faces = np.arange(len(self._pixels))
        return Views(self._made[place], faces, self._shares[place], self._partners[place])

    def make(self, place: int) -> int:
        """Create one view in a worker process; return its place."""
        request = self._requests[place]
        views = make_views(
            self._pixels, request.number, seed=request.seed, settings=request.settings, groups=self._groups
        )
        self._made[place], self._shares[place], self._partners[place] = (
            views.pixels,
            views.shares,
            views.partners,
        )
        return place

    def _collect(self) -> None:
        for place in self._pool.imap_unordered(_make, range(len(self._requests))):
            self._ready[place].set()


_OWN: ViewsAhead | None = None


def _make(place: int) -> int:
    assert _OWN is not None
    return _OWN.make(place)


def _share(shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, size), dtype).reshape(shape)
