"""URLs among the names of sources."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_url", "redact_credentials", "scheme_of"]

_PASSWORD: Final = re.compile(r"(?<=://)([^/:@?#]*):[^/?#]*@")
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+-]+):")  # of one letter it would be a drive of Windows


def is_url(name: str) -> bool:
    """Whether a source's name is a URL with a scheme, such as rtsp:// or http://."""
    scheme, separator, _ = name.partition("://")
    return bool(separator) and scheme.isalnum()


def scheme_of(name: str) -> str | None:
    """Return what stands before the first colon of a name, where it may be a scheme such as ``rtsp``."""
    match = _SCHEME.match(name)
    return None if match is None else match.group(1)


def redact_credentials(name: str) -> str:
    """A source's name as it may be shown and stored: of a URL's ``user:password@`` only the user is left."""
    return _PASSWORD.sub(r"\1:***@", name)
