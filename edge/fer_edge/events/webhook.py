"""``http(s)://URL``: the event is posted as JSON."""

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

_TIMEOUT_S: Final = 5.0  # of silence
_LIMIT: Final = 3  # times that, for a whole attempt
_SHOWN: Final = 200  # characters of what a server said that is not HTTP
_ATTEMPTS: Final = 8
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_TOO_MANY: Final = 429
_MOST_ANSWER: Final = 1 << 16  # bytes that are read of an answer, for the connection's sake


class WebhookAction(BackgroundAction):
    """Posts each event to a URL, again after 1, 2, 4… seconds while it does not answer or answers 5xx, eight times.

    The header ``Idempotency-Key`` is the same for all attempts of one event. Redirects are not followed. A password
    in the URL is sent as basic authentication, and shown nowhere.
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

    def work_on(self, event: Event) -> None:
        """Post it until it is taken, refused, or given up."""
        request = urllib.request.Request(
            self._url,
            json.dumps(event.as_record()).encode(),
            self._headers | {"Idempotency-Key": str(uuid.uuid4())},
            method="POST",
        )
        pause_s = self._first_pause_s
        for attempt in range(_ATTEMPTS):
            why, again = self._post(request)
            if why is None:
                return
            if not again:
                self.warn(f"it was refused: {why}")
                return
            if attempt == 0:
                self.warn(f"it failed and is tried again: {why}")
            if attempt + 1 < _ATTEMPTS and self.ended.wait(pause_s):
                return
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self.warn(f"an event was given up after {_ATTEMPTS} attempts")

    def _post(self, request: urllib.request.Request) -> tuple[str | None, bool]:
        """Why it failed, None where it did not; whether trying again may help."""
        expired = Flag()

        def expire() -> None:
            expired.set()
            self._connection.break_off()

        limit = Timer(_LIMIT * self._timeout_s, expire)
        limit.daemon = True
        limit.start()
        try:
            answer = self._opener.open(request, timeout=self._timeout_s)
            with answer, suppress(OSError, HTTPException):  # it was taken, whatever else comes
                answer.read1(_MOST_ANSWER)
            return None, False
        except urllib.error.HTTPError as error:
            with error:
                return f"status {error.code}", error.code >= 500 or error.code == _TOO_MANY
        except (OSError, HTTPException, ValueError) as error:
            if expired.is_set():
                return f"no whole answer within {_LIMIT * self._timeout_s:g} s", True
            reason = getattr(error, "reason", error)
            text = str(getattr(reason, "strerror", None) or reason or type(error).__name__)
            return text[:_SHOWN], True
        finally:
            limit.cancel()

    def close(self) -> None:
        """End it, and the attempt that is under way."""
        super().close()
        self._connection.break_off()


class _Connection:
    """The connection of an attempt, which another thread may break off.

    A server that sends a byte now and then never lets a time-out pass.
    """

    def __init__(self) -> None:
        self.current: HTTPConnection | None = None

    def break_off(self) -> None:
        """End it: who reads from it sees its end."""
        used = None if self.current is None else self.current.sock
        if used is not None:
            with suppress(OSError):
                used.shutdown(socket.SHUT_RDWR)


class _HttpHandler(urllib.request.HTTPHandler):
    """Notes the connection that it makes."""

    def __init__(self, note: _Connection) -> None:
        super().__init__()
        self._note = note

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> Any:
        return super().do_open(_noting(http_class, self._note), req, **options)


class _HttpsHandler(urllib.request.HTTPSHandler):
    """Notes the connection that it makes."""

    def __init__(self, note: _Connection) -> None:
        super().__init__()
        self._note = note

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> Any:
        return super().do_open(_noting(http_class, self._note), req, **options)


def _noting(http_class: Any, note: _Connection) -> Any:
    def connect(*arguments: Any, **options: Any) -> Any:
        note.current = http_class(*arguments, **options)
        return note.current

    return connect


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like another: the event goes to whom it was meant for, or to nobody."""

    def redirect_request(self, *_: Any) -> None:
        return None


def create_action(request: ActionRequest) -> Action:
    """Make the action of a URL; raises UsageError for one that cannot be."""
    shown = redact_credentials(request.target)
    try:
        parts = urlsplit(request.target)
        is_url = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise UsageError(f"{shown!r}: not a URL ({error}); write http://host/path") from error
    if (
        not is_url
        or not request.target.isascii()
        or not request.target.isprintable()
        or " " in request.target
    ):
        raise UsageError(f"{shown!r}: not a URL; write http://host/path")
    return WebhookAction(request.target)
