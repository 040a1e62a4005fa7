"""Recognize URLs in source names, and redact their passwords."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_url", "redact_credentials", "scheme_of"]

_PASSWORD: Final = re.compile(r"(?<=://)([^/:@?#]*):[^/?#]*@")
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+-]+):")  # a single letter would be a Windows drive


def is_url(name: str) -> bool:
    """Return whether a source name is a URL with a scheme, such as rtsp:// or http://."""
    scheme, separator, _ = name.partition("://")
    return bool(separator) and scheme.isalnum()


def scheme_of(name: str) -> str | None:
    """Return the part before the first colon if it may be a scheme such as ``rtsp``."""
    match = _SCHEME.match(name)
    return None if match is None else match.group(1)


def redact_credentials(name: str) -> str:
    """Return a source name that may be shown and stored.

    In a URL, the password of ``user:password@`` is masked.
    """
    return _PASSWORD.sub(r"\1:***@", name)
