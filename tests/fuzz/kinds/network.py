"""Network input: requests to the live page, and responses to downloads and cameras."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fer_edge.sinks.http.request import RequestError, read_request
from tests.fuzz.case import Kind
from tests.fuzz.kinds.mutation import damaged_bytes

__all__ = ["NETWORK"]

_REQUEST: Final = (
    b"GET /stream?token=abc HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nCookie: a=b; c=d\r\nConnection: keep-alive\r\n"
    b"Authorization: Bearer secret\r\nContent-Length: 0\r\n\r\n"
)


def _requests() -> SearchStrategy[bytes]:
    return damaged_bytes(_REQUEST) | st.binary(max_size=300)


def _read_request(content: bytes, _: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(content)
        theirs.shutdown(socket.SHUT_WR)
        refused = None
        try:
            request = read_request(ours)
            if request is not None:
                assert request.path.startswith("/")
                request.parameter("token")
        except RequestError as error:
            refused = error
    if refused is not None:
        assert 400 <= refused.status < 600
        assert len(str(refused)) < 200


NETWORK: Final[dict[str, Kind]] = {"request": Kind(_requests, _read_request, batch=100)}
