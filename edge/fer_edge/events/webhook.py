"""``http(s)://URL``: post the event as JSON."""

from __future__ import annotations

import base64
import json
import socket
import urllib.error
import urllib.request
import uuid
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from threading import Event as Flag
from threading import Timer
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from fer_edge._version import __version__
from fer_edge.errors import UsageError
from fer_edge.events.base import Action, ActionRequest, BackgroundAction
from fer_edge.events.engine import Event
from fer_edge.sources.urls import redact_credentials

__all__ = ["WebhookAction", "create_action"]

_TIMEOUT_S: Final = 5.0  # without a byte from the server
_LIMIT: Final = 3  # a whole attempt may take this many times the timeout
_SHOWN: Final = 200  # characters shown of an answer that is not HTTP
_ATTEMPTS: Final = 8
_FIRST_PAUSE_S, _MAX_PAUSE_S = 1.0, 30.0
_TOO_MANY: Final = 429
_MAX_ANSWER: Final = 1 << 16  # bytes read from an answer, so that the connection ends cleanly


class WebhookAction(BackgroundAction):
    """An action that posts each event to a URL, with retries.

    If the server does not answer, or answers 429 or 5xx, the request is retried after 1, 2, 4, … seconds, up
    to eight attempts in all. The header ``Idempotency-Key`` is the same for all attempts of one event.
    Redirects are not followed. A password in the URL is sent as basic authentication and never shown.
    """

    def __init__(
        self, url: str, *, first_pause_s: float = _FIRST_PAUSE_S, timeout_s: float = _TIMEOUT_S
    ) -> None:
        super().__init__(redact_credentials(url))
        self._first_pause_s, self._timeout_s = first_pause_s, timeout_s
        parts = urlsplit(url)
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._headers = {"Content-Type": "application/json", "User-Agent": f"fer-edge/{__version__}"}
        if parts.username is not None:
            secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
        self._connection = _Connection()
        self._opener = urllib.request.build_opener(
            _NoRedirects, _HttpHandler(self._connection), _HttpsHandler(self._connection)
        )

    def handle_event(self, event: Event) -> None:
        """Post the event, with retries, until the server accepts or refuses it."""
        request = urllib.request.Request(
            self._url,
            json.dumps(event.as_record()).encode(),
            self._headers | {"Idempotency-Key": str(uuid.uuid4())},
            method="POST",
        )
        pause_s = self._first_pause_s
        for attempt in range(_ATTEMPTS):
            reason, may_retry = self._post(request)
            if reason is None:
                return
            if not may_retry:
                self.warn(f"server refused the event: {reason}")
                return
            if attempt == 0:
                self.warn(f"request failed, retrying: {reason}")
            if attempt + 1 < _ATTEMPTS and self.ended.wait(pause_s):
                return
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)
        self.warn(f"gave up an event after {_ATTEMPTS} attempts")

    def _post(self, request: urllib.request.Request) -> tuple[str | None, bool]:
        """Return why it failed (None on success) and whether a retry may help."""
        expired = Flag()

        def expire() -> None:
            expired.set()
            self._connection.abort()

        limit = Timer(_LIMIT * self._timeout_s, expire)
        limit.daemon = True
        limit.start()
        try:
            answer = self._opener.open(request, timeout=self._timeout_s)
            with answer, suppress(OSError, HTTPException):  # the event was accepted, whatever the body holds
                answer.read1(_MAX_ANSWER)
            return None, False
        except urllib.error.HTTPError as error:
            with error:
                return f"status {error.code}", error.code >= 500 or error.code == _TOO_MANY
        except (OSError, HTTPException, ValueError) as error:
            if expired.is_set():
                return f"no complete answer within {_LIMIT * self._timeout_s:g} s", True
            reason = getattr(error, "reason", error)
            text = str(getattr(reason, "strerror", None) or reason or type(error).__name__)
            return text[:_SHOWN], True
        finally:
            limit.cancel()

    def close(self) -> None:
        """Stop the action and abort the attempt in progress."""
        super().close()
        self._connection.abort()


class _Connection:
    """The connection of an attempt, which another thread may abort.

    The socket timeout alone is not enough: a server that sends a byte now and then never triggers it.
    """

    def __init__(self) -> None:
        self.current: HTTPConnection | None = None

    def abort(self) -> None:
        """Shut the connection down, so that a pending read ends."""
        connected = None if self.current is None else self.current.sock
        if connected is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


class _HttpHandler(urllib.request.HTTPHandler):
    """An HTTP handler that records the connection it opens."""

    def __init__(self, connection: _Connection) -> None:
        super().__init__()
        self._connection = connection

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> Any:
        return super().do_open(_record_connection(http_class, self._connection), req, **options)


class _HttpsHandler(urllib.request.HTTPSHandler):
    """An HTTPS handler that records the connection it opens."""

    def __init__(self, connection: _Connection) -> None:
        super().__init__()
        self._connection = connection

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> Any:
        return super().do_open(_record_connection(http_class, self._connection), req, **options)


def _record_connection(http_class: Any, connection: _Connection) -> Any:
    def connect(*arguments: Any, **options: Any) -> Any:
        connection.current = http_class(*arguments, **options)
        return connection.current

    return connect


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Treats a redirect as a final answer: no event goes to another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


def create_action(request: ActionRequest) -> Action:
    """Create the action for a URL; raises UsageError if the URL is invalid."""
    shown = redact_credentials(request.target)
    try:
        parts = urlsplit(request.target)
        is_url = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise UsageError(f"{shown!r}: not a valid URL ({error}); write http://host/path") from error
    if (
        not is_url
        or not request.target.isascii()
        or not request.target.isprintable()
        or " " in request.target
    ):
        raise UsageError(f"{shown!r}: not a valid URL; write http://host/path")
    return WebhookAction(request.target)
