"""Parse untrusted JSON, and format JSON that can always be encoded."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["format_json", "parse_json"]


def parse_json(text: str | bytes) -> Any:
    """Parse JSON. Raises ValueError for invalid input, including excessive nesting."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def format_json(content: Any) -> str:
    """Format an object as indented JSON, ending with a line break, that can be encoded in UTF-8.

    File names that are not valid text contain lone surrogates; these are escaped, and read back unchanged.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()
