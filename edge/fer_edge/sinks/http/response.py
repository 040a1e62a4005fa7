"""HTTP responses, with headers that isolate the page from other sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from fer_edge.sinks.http.request import RequestError

__all__ = ["HTML", "JSON", "TEXT", "Response", "format_head", "respond_with_error"]

_HEADERS: Final[Mapping[str, str]] = {
    "Connection": "close",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response; ``kind`` is its content type."""

    body: bytes
    kind: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, *, head_only: bool) -> bytes:
        """Return the response as bytes; ``head_only`` leaves out the body, for HEAD."""
        length = {"Content-Length": str(len(self.body))}
        head = format_head(self.status, self.kind, {**length, **self.headers})
        return head if head_only else head + self.body


def format_head(status: int, kind: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the status line and all headers, including the empty line after them."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Type: {kind}"]
    lines += [f"{name}: {value}" for name, value in {**_HEADERS, **(headers or {})}.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def respond_with_error(error: RequestError) -> Response:
    """Return the response for an error."""
    return Response(f"{error.reason}\n".encode(), TEXT, error.status, error.headers)
