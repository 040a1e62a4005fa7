"""The sink that shows a run in a browser."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from threading import Event
from typing import Any, Protocol

from fer_edge.rendering.view import View
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.http.access import TOKEN_VARIABLE, Access, choose_token
from fer_edge.sinks.http.address import listen, parse_address
from fer_edge.sinks.http.live import LiveState
from fer_edge.sinks.http.server import LiveServer
from fer_edge.types import SkippedInput, StreamInfo

__all__ = ["TOKEN_VARIABLE", "HttpSink", "create_sink"]


class _Event(Protocol):
    """What came true; events are of a layer beside this one."""

    def as_record(self) -> Mapping[str, Any]:
        """The event as JSON."""


class HttpSink:
    """Serves the annotated images and rows of a run, from the moment when it is made.

    ``address`` is ``[HOST:]PORT``. ``given_token`` is the user's own, "" for none: then another host than the
    loopback one gets a random one. ``url`` is what a browser opens, a random token included; ``own_token`` tells
    that the user's has to be added. ``is_secret``: nobody knows it who is not told. Raises UsageError for an
    address or a token that cannot be meant, OutputError where the address cannot be served on.
    """

    def __init__(self, request: SinkRequest, given_token: str = "") -> None:
        address = parse_address(request.target)
        listener = listen(address)
        try:
            token = choose_token(listener, given_token)
            self.own_token = bool(given_token)
            self.is_secret = address.port == 0 or (token is not None and not given_token)
            self.url = listener.url if token is None or given_token else f"{listener.url}?token={token}"
            self._live = LiveState(request.status, request.labels, request.stream)
            server = LiveServer(listener, Access(listener, token), self._live)
        except BaseException:
            listener.socket.close()
            raise
        server.start()
        # A run that fails before it begins closes no sinks.
        self._stop = weakref.finalize(self, server.stop)

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """A stream begins; viewers read its name."""
        self._live.begin(stream)

    def write(self, result: View | SkippedInput) -> None:
        """Show a frame; waits for no viewer."""
        if isinstance(result, View):
            self._live.take(result)

    def tell(self, event: _Event) -> None:
        """Tell the viewers of a rule that came true."""
        self._live.tell(event.as_record())

    def close(self) -> None:
        """Tell the viewers that the run is over, end their connections."""
        self._stop()


def create_sink(request: SinkRequest) -> HttpSink:
    """Make the sink; raises UsageError, OutputError. The environment may set the token."""
    return HttpSink(request, os.environ.get(TOKEN_VARIABLE, ""))
