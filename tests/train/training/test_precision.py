"""bfloat16 on machines that support it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_train.training import precision
from fer_train.training.precision import choose_precision, has_bfloat16
from fer_train.training.recipes import find_recipe


@pytest.mark.parametrize(
    ("cpuinfo", "has"),
    [
        ("model name\t: x\nflags\t\t: fpu avx2 avx512_bf16 sha\n", True),
        ("flags\t\t: fpu amx_bf16 amx_tile\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("model name\t: bf16 2000\nflags\t\t: fpu\n", False),
        ("", False),
    ],
)
def test_bfloat16_is_detected_from_the_processor(
    cpuinfo: str, has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_has_gpu", lambda: False)
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo)
    assert has_bfloat16(path) is has


def test_a_machine_without_it_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = find_recipe("modern", "mini-resnet")
    assert recipe.bfloat16
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    assert not choose_precision(recipe).bfloat16
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    assert choose_precision(recipe) is recipe
