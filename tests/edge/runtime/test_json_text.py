"""Invalid JSON, and JSON crafted to break its reader."""

from __future__ import annotations

import pytest

from fer_edge.runtime.json_text import format_json, parse_json


@pytest.mark.parametrize("text", ["", "{", "[" * 200_000, '{"a":' * 100_000, "9" * 5000, b"\xff\xfe", "nul"])
def test_anything_else_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the decoder's own words)
        parse_json(text)


def test_json_is_read() -> None:
    assert parse_json(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


def test_file_names_that_are_not_text_can_be_written_and_read() -> None:
    content = {"name": "bad\udcff", "émue": [1, None]}
    text = format_json(content)
    assert "émue" in text
    assert parse_json(text.encode("utf-8")) == content
