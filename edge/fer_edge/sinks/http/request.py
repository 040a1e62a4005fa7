"""A strict HTTP request parser with limits on size and time."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

__all__ = ["Request", "RequestError", "read_request"]

_MAX_BYTES: Final = 8192  # for the request line and all headers
_MAX_SECONDS: Final = 5.0  # to receive them completely
_MAX_PARAMETERS: Final = 8

_REQUEST_LINE: Final = re.compile(r"([A-Z]{1,16}) ([\x21-\x7e]+) HTTP/1\.[01]")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_END: Final = b"\r\n\r\n"


class RequestError(Exception):
    """An error response: its HTTP status, a one-line reason, and headers."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, dict(headers or {})


@dataclass(frozen=True, slots=True)
class Request:
    """The method, path, query and headers of a request; header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]

    def parameter(self, name: str) -> str | None:
        """Return a query parameter, or None; raises RequestError if the query is invalid."""
        try:
            values = parse_qs(self.query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            raise RequestError(400, "The query is invalid.") from None
        return values[name][0] if name in values else None


def read_request(connection: socket.socket) -> Request | None:
    """Read the head of a request; None if the client closes the connection first.

    The body is not read, because the connection is closed after the response. Raises RequestError if the
    request is invalid, OSError if the connection breaks.
    """
    head = _read_head(connection)
    if head is None:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    match = _REQUEST_LINE.fullmatch(first)
    if match is None or not match[2].startswith("/"):
        raise RequestError(400, "The request is invalid.")
    headers: dict[str, str] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise RequestError(400, "The request headers are invalid.")
        name = header[1].lower()
        if name in headers and name != "cookie":
            raise RequestError(400, "The request has a duplicate header.")
        headers[name] = f"{headers[name]}; {header[2]}" if name in headers else header[2]
    path, _, query = match[2].partition("?")
    return Request(match[1], path, query, headers)


def _read_head(connection: socket.socket) -> bytes | None:
    deadline = time.monotonic() + _MAX_SECONDS
    head = b""
    while _END not in head:
        if len(head) >= _MAX_BYTES:
            raise RequestError(431, "The request headers are too long.")
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise RequestError(408, "The request took too long.")
        connection.settimeout(remaining)
        try:
            part = connection.recv(_MAX_BYTES - len(head))
        except TimeoutError:
            raise RequestError(408, "The request took too long.") from None
        if not part:
            if head:
                raise RequestError(400, "The request is incomplete.")
            return None
        head += part
    return head.partition(_END)[0]
