"""The live view server: a limited number of connections, one thread for each.

No connection can slow down the run.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, Final

from fer_edge.runtime.background import BackgroundThread
from fer_edge.sinks.http.access import Access
from fer_edge.sinks.http.address import Listener
from fer_edge.sinks.http.live import LiveState
from fer_edge.sinks.http.request import Request, RequestError, read_request
from fer_edge.sinks.http.response import HTML, TEXT, Response, format_head, respond_with_error
from fer_edge.sinks.http.routes import ROUTES, Route, respond_without_token

__all__ = ["LiveServer"]

_LOG: Final = logging.getLogger(__name__)

_MAX_CONNECTIONS: Final = 48
_MAX_STREAMS: Final = 32  # of these connections for images and events; the rest is for monitoring
_MAX_REFUSED: Final = 128  # refused connections kept open until their response has arrived
_SILENT_S: Final = 1.0  # after this time a connection without a request makes room for others
_SEND_S: Final = 5.0  # timeout for viewers that do not receive
_POLL_S: Final = 0.1
_LINGER_S: Final = 1.0  # time for a response to arrive before its connection is closed
_CLOSE_S: Final = 0.5
_SCARCE_S: Final = 0.05

_BUSY: Final = respond_with_error(
    RequestError(503, "Too many connections; close other pages and try again.", {"Retry-After": "5"})
).encode(head_only=False)


class LiveServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves a live state from background threads until ``stop`` is called."""

    daemon_threads = True
    block_on_close = False  # ``stop`` waits for threads with a time limit

    def __init__(self, listener: Listener, access: Access, live: LiveState) -> None:
        super().__init__(("", 0), _Connection, bind_and_activate=False)
        self.socket.close()
        self.socket = listener.socket
        self.access, self.live = access, live
        self.streams = threading.BoundedSemaphore(_MAX_STREAMS)
        self._open: dict[socket.socket, BackgroundThread | None] = {}
        self._silent: dict[socket.socket, float] = {}  # no request yet: start times, oldest first
        self._refused: deque[tuple[float, socket.socket]] = deque()
        self._lock = threading.Lock()
        self._thread = BackgroundThread(self.serve_forever, _POLL_S, name="fer-edge-http")

    def start(self) -> None:
        """Start to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and threads; takes about half a second if a viewer hangs."""
        self.live.end()
        if self._thread.is_running():
            self.shutdown()
        self.socket.close()
        deadline = time.monotonic() + _CLOSE_S
        for connection, thread in self._connections():
            if thread is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for connection, thread in self._connections():
            if thread is not None:
                thread.join(_CLOSE_S)
            connection.close()
        while self._refused:
            self._refused.popleft()[1].close()

    def _connections(self) -> list[tuple[socket.socket, BackgroundThread | None]]:
        with self._lock:
            return list(self._open.items())

    # Methods that socketserver calls.

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; pause if the system is out of file descriptors."""
        try:
            return self.socket.accept()
        except OSError:
            time.sleep(_SCARCE_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or refuse it if there are too many."""
        now = time.monotonic()
        with self._lock:
            accepted = len(self._open) < _MAX_CONNECTIONS or self._make_room(now)
            if accepted:
                self._open[request], self._silent[request] = None, now
        if not accepted:
            self._refuse(request)
            return
        thread = BackgroundThread(self.process_request_thread, request, client_address)
        with self._lock:
            self._open[request] = thread
        thread.start()

    def _make_room(self, now: float) -> bool:
        """Drop the connection that has been silent longest, if for long enough.

        Returns whether there was one.
        """
        oldest = next(iter(self._silent), None)
        if oldest is None or now - self._silent[oldest] < _SILENT_S:
            return False
        del self._silent[oldest], self._open[oldest]
        with suppress(OSError):
            oldest.shutdown(socket.SHUT_RDWR)  # its thread closes it
        return True

    def note_request(self, connection: socket.socket) -> None:
        """Record that a connection has sent a request."""
        with self._lock:
            self._silent.pop(connection, None)

    def _refuse(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.setblocking(False)
            connection.send(_BUSY)  # fits into the buffer of a new connection
            connection.shutdown(socket.SHUT_WR)
        self._refused.append((time.monotonic() + _LINGER_S, connection))
        if len(self._refused) > _MAX_REFUSED:
            self._refused.popleft()[1].close()

    def service_actions(self) -> None:
        """Close refused connections once clients have had time to read the response."""
        while self._refused and self._refused[0][0] <= time.monotonic():
            connection = self._refused.popleft()[1]
            with suppress(OSError):
                while connection.recv(4096):  # closing with unread data would lose the response
                    pass
            connection.close()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection so that the response arrives."""
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            _drain(request)
        request.close()
        with self._lock:
            self._open.pop(request, None)
            self._silent.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error in a connection's thread; the run continues."""
        _LOG.exception("a connection to the live view failed")


class _Connection(socketserver.BaseRequestHandler):
    """One connection with one request and one response."""

    server: LiveServer
    request: socket.socket

    def handle(self) -> None:
        """Answer the request; ends silently if the viewer disconnects."""
        with suppress(OSError):
            _configure(self.request)
            head_only = False
            try:
                request = read_request(self.request)
                self.server.note_request(self.request)
                if request is None:
                    return
                head_only = request.method == "HEAD"
                response = self._answer(request, head_only)
            except RequestError as error:
                response = respond_with_error(error)
            if response is not None:
                self.request.settimeout(_SEND_S)
                self.request.sendall(response.encode(head_only=head_only))

    def _answer(self, request: Request, head_only: bool) -> Response | None:
        """Return the response, or None if a stream was sent; raises RequestError."""
        if request.method not in ("GET", "HEAD"):
            raise RequestError(405, "Only GET and HEAD are supported.", {"Allow": "GET, HEAD"})
        access, live = self.server.access, self.server.live
        access.check_host(request)
        route = ROUTES.get(request.path)
        access.check_site(request, is_linkable=route is not None and route.is_linkable)
        if route is None:
            raise RequestError(404, "This address does not exist.")
        if access.accepts(request.parameter("token")):
            return _respond_with_cookie(request, access)
        if not route.is_public and not access.is_allowed(request):
            return respond_without_token(request)
        if route.respond is not None:
            return route.respond(live)
        self._stream(route, head_only)
        return None

    def _stream(self, route: Route, head_only: bool) -> None:
        assert route.stream is not None
        if not self.server.streams.acquire(blocking=False):
            raise RequestError(
                503, "Too many viewers; close other pages and try again.", {"Retry-After": "5"}
            )
        try:
            self.request.settimeout(_SEND_S)
            self.request.sendall(format_head(200, route.kind, {"X-Accel-Buffering": "no"}))
            if not head_only:
                route.stream(self.request, self.server.live)
        finally:
            self.server.streams.release()


def _respond_with_cookie(request: Request, access: Access) -> Response:
    """Return a response that moves the token from the URL into a cookie.

    It stores the URL's token in a cookie and sends the browser to the URL without the token. After a link from another
    site, browsers omit SameSite=Strict cookies on a redirect, so in that case, or if the browser does not say where the
    request came from, the response is a page that reloads itself instead.
    """
    headers = {"Set-Cookie": access.format_cookie()}
    unsaid = "none" if "text/html" not in request.headers.get("accept", "") else ""
    if request.headers.get("sec-fetch-site", unsaid) == "none":
        return Response(b"", TEXT, 303, {"Location": request.path, **headers})
    page = (
        f'<!doctype html><meta http-equiv="refresh" content="0; url={request.path}"><title>fer-edge</title>'
    )
    return Response(page.encode(), HTML, 200, headers)


def _configure(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Detect viewers that disappear while nothing is sent; these options exist on Linux.
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _drain(connection: socket.socket) -> None:
    """Discard data still being sent: closing with unread data would lose the response."""
    deadline = time.monotonic() + _LINGER_S
    while (remaining := deadline - time.monotonic()) > 0:
        connection.settimeout(remaining)
        if not connection.recv(4096):
            return
