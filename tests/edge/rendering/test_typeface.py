"""Text in the built-in font, in a system font, and without any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fer_edge.rendering import typeface
from fer_edge.rendering.typeface import render_text

CACHES = (typeface.render_text, typeface._choose_font, typeface._system_fonts)


@pytest.fixture(autouse=True)
def _forget_fonts() -> Iterator[None]:
    for cached in CACHES:
        cached.cache_clear()
    yield
    for cached in CACHES:
        cached.cache_clear()


@pytest.fixture
def no_system_fonts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty folder, the only one that is searched for fonts."""
    monkeypatch.setattr(typeface, "_font_folders", lambda: [tmp_path / "missing", tmp_path])
    return tmp_path


def same(one: str, other: str) -> bool:
    return np.array_equal(render_text(one, 20).mask, render_text(other, 20).mask)


def test_a_text_is_rendered_once() -> None:
    first = render_text("happy", 20)
    assert render_text("happy", 20) is first
    render_text.cache_clear()
    assert np.array_equal(render_text("happy", 20).mask, first.mask)


def test_a_rendered_text_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        render_text("happy", 20).mask[...] = 0


def test_the_cache_is_bounded() -> None:
    assert render_text.cache_info().maxsize == 1024


@pytest.mark.parametrize("size", [8, 11, 20, 90])
def test_texts_of_one_size_have_one_height_and_baseline(size: int) -> None:
    texts = [render_text(text, size) for text in ("a", "gyp", "ÅB"[1:], "91%", "#12")]
    assert len({(len(text.mask), text.ascent) for text in texts}) == 1
    assert all(text.mask.max() > 200 for text in texts)


def test_digits_are_equally_wide_so_that_scores_do_not_jitter() -> None:
    assert len({render_text(f"{tens}{tens}%", 20).mask.shape for tens in range(2, 10)}) <= 2


def test_text_without_ink_has_a_size() -> None:
    assert render_text("", 20).mask.shape[1] == 1
    assert not render_text(" ", 20).mask.any()


def test_english_needs_no_font_of_the_system(no_system_fonts: Path, caplog: pytest.LogCaptureFixture) -> None:
    render_text("Happy #12 – 91%"[:9], 20)
    assert not caplog.records


@pytest.mark.parametrize("label", ["радость", "χαρά", "fâché", "喜び", "فرح"])
def test_a_label_of_another_script_is_drawn_where_a_font_exists(label: str) -> None:
    if not any(typeface._has_letters(path, label) for path in typeface._system_fonts()):
        pytest.skip("no installed font has these letters")
    path, text = typeface._choose_font(label)
    assert path is not None
    assert text == label
    assert not same(label, "?" * len(label))
    assert not same(label, label[::-1])


def test_without_such_a_font_accents_are_left_off_and_letters_become_question_marks(
    no_system_fonts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert same("fâché", "fache")
    assert same("喜び", "??")
    assert "install a Noto font" in caplog.text
    assert caplog.text.count("'喜び'") == 1


def test_a_damaged_font_is_passed_over(no_system_fonts: Path) -> None:
    (no_system_fonts / "NotoSans-Regular.ttf").write_bytes(b"not a font")
    assert same("радость", "???????")


def test_upright_fonts_of_usual_names_come_first(no_system_fonts: Path) -> None:
    for name in ("Zapf.ttf", "DejaVuSans-Bold.ttf", "noto/NotoSansCJK-Regular.ttc", "readme.txt"):
        path = no_system_fonts / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    names = [path.name for path in typeface._system_fonts()]
    assert names == ["NotoSansCJK-Regular.ttc", "Zapf.ttf", "DejaVuSans-Bold.ttf"]


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_system_has_font_folders(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typeface.sys, "platform", platform)
    assert len(typeface._font_folders()) >= 2
