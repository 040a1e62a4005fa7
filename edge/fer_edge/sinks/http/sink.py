"""A sink that shows a run in a browser."""

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
    """A rule event; this layer may not import the ``events`` package."""

    def as_record(self) -> Mapping[str, Any]:
        """Return the event as JSON."""


class HttpSink:
    """Serves the annotated images and rows of a run.

    The constructor starts the server. The target of ``request`` is ``[HOST:]PORT``. ``given_token`` is the
    user's token, "" for none; without one, hosts other than loopback get a random token. ``url`` is the
    address for browsers, including a random token; ``own_token``: the user has to add their own token.
    ``is_secret``: the address cannot be guessed and has to be shown to the user. Raises UsageError if the
    address or token is invalid, OutputError if the address cannot be served on.
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
        # A run that fails before it starts does not close its sinks.
        self._stop = weakref.finalize(self, server.stop)

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Begin a stream; viewers see its name."""
        self._live.begin(stream)

    def write(self, result: View | SkippedInput) -> None:
        """Show a frame, without waiting for viewers."""
        if isinstance(result, View):
            self._live.handle_view(result)

    def send_event(self, event: _Event) -> None:
        """Send a rule event to the viewers."""
        self._live.send_event(event.as_record())

    def close(self) -> None:
        """Tell the viewers that the run is over and close their connections."""
        self._stop()


def create_sink(request: SinkRequest) -> HttpSink:
    """Create the sink, with the token of the environment if it has one.

    Raises UsageError or OutputError.
    """
    return HttpSink(request, os.environ.get(TOKEN_VARIABLE, ""))
