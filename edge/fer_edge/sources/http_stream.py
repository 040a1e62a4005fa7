"""Read an endless HTTP response body, and explain why a connection failed."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import urllib.error
import urllib.request
from contextlib import suppress
from http.client import HTTPMessage
from typing import IO, Any, Final, cast
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from fer_edge._version import __version__
from fer_edge.errors import one_line, reason_of
from fer_edge.sources.live import CameraFault
from fer_edge.sources.urls import redact_credentials

__all__ = ["HttpStream", "describe_network_error", "describe_status"]

_CHECK: Final = "check the address and that the camera is on"
_CHUNK: Final = 1 << 16
_SHOWN: Final = 200  # characters shown of an address that the server sent
_BUSY: Final = frozenset({408, 425, 429})
_STATUSES: Final = {
    403: (
        "the server denies access to this address or user",
        "check the user's permissions in the camera's settings",
    ),
    404: ("the server has nothing at this address", "check the path in the camera's manual or settings"),
    405: (
        "the server does not allow reading this address",
        "check the path in the camera's manual or settings",
    ),
    410: (
        "the server no longer has anything at this address",
        "check the path in the camera's manual or settings",
    ),
}


class HttpStream:
    """The response body of a URL.

    ``timeout_s`` is how long the server may stay silent.

    The URL's user name and password are used for Basic and Digest authentication. Certificates are not verified,
    because cameras use self-signed ones. ``read`` returns bytes as FFmpeg requests them; ``peek`` looks ahead at the
    first bytes.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = url, timeout_s
        self._opened = _OpenResources()
        self._response: Any = None
        self._peeked = b""

    def open(self) -> None:
        """Send the request. Raises CameraFault."""
        parts = urlsplit(self._url)
        user, secret = unquote(parts.username or ""), unquote(parts.password or "")
        address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        context = ssl._create_unverified_context()
        handlers: list[urllib.request.BaseHandler] = [
            _Http(self._opened),
            _Https(self._opened, context),
            _SameHostRedirects(),
        ]
        if user:
            passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, address, user, secret)
            handlers += [
                _Digest(passwords),
                urllib.request.HTTPBasicAuthHandler(passwords),
            ]
        opener = urllib.request.build_opener(*handlers)
        opener.addheaders = [("User-Agent", f"fer-edge/{__version__}"), ("Accept", "*/*")]
        try:
            self._response = opener.open(address, timeout=self._timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                raise describe_status(error.code, error.reason, self._url) from None
        except urllib.error.URLError as error:
            raise describe_network_error(error.reason) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if "uthentication" in str(error) or "AuthHandler" in str(error):
                raise CameraFault(
                    "the server requires an unsupported authentication method",
                    "set the camera to Digest authentication",
                    permanent=True,
                ) from error
            raise describe_network_error(error) from error
        if self._response.status == 204:
            raise CameraFault("the server returned an empty response (204)", _CHECK, permanent=True)

    @property
    def kind(self) -> str:
        """The content type that the server states, in lower case, without parameters."""
        text: str = self._response.headers.get("Content-Type", "")
        return text.partition(";")[0].strip().lower()

    @property
    def length(self) -> int | None:
        """The length of the whole body in bytes, or None if the server does not state it."""
        text: str = self._response.headers.get("Content-Length", "")
        return int(text) if text.isdecimal() else None

    def peek(self, size: int) -> bytes:
        """Return the first bytes received so far without consuming them.

        The first call reads one piece of at most ``size`` bytes.
        """
        if not self._peeked:
            self._peeked = self._read(size)
        return self._peeked

    def peek_more(self) -> bool:
        """Read more bytes into the peek buffer and return whether any arrived."""
        more = self._read(_CHUNK)
        self._peeked += more
        return bool(more)

    def read(self, size: int = _CHUNK) -> bytes:
        """Return up to ``size`` bytes as soon as any are available.

        Returns ``b""`` at the end. Raises CameraFault.
        """
        if self._peeked:
            peeked, self._peeked = self._peeked[:size], self._peeked[size:]
            return peeked
        return self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            data: bytes = self._response.read1(size)
        except TimeoutError as error:
            raise CameraFault(f"no data for {self._timeout_s:g} s", _CHECK) from error
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            raise describe_network_error(error) from error
        return data

    def interrupt(self) -> None:
        """Unblock a read in another thread."""
        self._opened.shut_down()

    def close(self) -> None:
        """Close the connection. No thread may be reading from it."""
        self._opened.shut_down()
        self._opened.close()


class _Digest(urllib.request.HTTPDigestAuthHandler):
    """Digest authentication that also supports SHA-256.

    Newer cameras require it (RFC 7616).
    """

    def get_algorithm_impls(self, algorithm: str) -> Any:
        if algorithm.upper() != "SHA-256":
            return super().get_algorithm_impls(algorithm.upper())

        def digest(text: str) -> str:
            return hashlib.sha256(text.encode()).hexdigest()

        return digest, lambda secret, data: digest(f"{secret}:{data}")


class _SameHostRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to another path, port or to https, but not to another host.

    Otherwise, a hostile camera could make this machine send requests to any address in its network.
    """

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> Any:
        target = urljoin(req.full_url, headers.get("Location") or headers.get("URI") or "")
        host = urlsplit(target).hostname
        if host and host != urlsplit(req.full_url).hostname:
            shown = one_line(redact_credentials(target))[:_SHOWN]
            fp.close()
            raise CameraFault(
                f"the server redirects to another host ({shown})",
                "use that address if you trust it",
                permanent=True,
            )
        # The base class reads the whole body, which may be endless.
        return super().http_error_302(req, cast("IO[bytes]", _NoBody(fp)), code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _NoBody:
    """A response whose body is not read."""

    def __init__(self, response: IO[bytes]) -> None:
        self._response = response

    def read(self, _size: int = -1) -> bytes:
        """Return nothing."""
        return b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)


class _OpenResources:
    """The sockets and responses of a stream.

    Keeping them lets another thread unblock a read, and everything be closed.
    """

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.responses: list[http.client.HTTPResponse] = []

    def connection(self, kind: Any) -> Any:
        """Return a subclass of a connection class that registers its socket here."""
        sockets = self.sockets

        class Connection(kind):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        return Connection

    def shut_down(self) -> None:
        """Unblock reads in other threads."""
        for connection in list(self.sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close everything."""
        for response in self.responses:  # includes the 401 responses before authentication
            with suppress(OSError, http.client.HTTPException):
                response.close()
        for connection in self.sockets:
            with suppress(OSError):
                connection.close()


class _Http(urllib.request.HTTPHandler):
    def __init__(self, opened: _OpenResources) -> None:
        super().__init__()
        self._opened = opened

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        response = self.do_open(self._opened.connection(http.client.HTTPConnection), req)
        self._opened.responses.append(response)
        return response


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, opened: _OpenResources, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._opened, self._own_context = opened, context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        kind = self._opened.connection(http.client.HTTPSConnection)
        response = self.do_open(kind, req, context=self._own_context)
        self._opened.responses.append(response)
        return response


def describe_status(status: int, reason: object, url: str) -> CameraFault:
    """Return the fault for an HTTP or RTSP status that was received for a URL."""
    scheme, has_user = urlsplit(url).scheme, urlsplit(url).username is not None
    if status in (401, 407):
        if has_user:
            return CameraFault(
                f"the server rejected the user name or password ({status})", "check both", permanent=True
            )
        return CameraFault(
            f"the server requires a user name and password ({status})",
            f"add them to the address: {scheme}://user:password@host/path",
            permanent=True,
        )
    if 300 <= status < 400:
        return CameraFault(
            f"the server redirects to an address that cannot be read ({status})", _CHECK, permanent=True
        )
    if status in _STATUSES:
        what, remedy = _STATUSES[status]
        return CameraFault(f"{what} ({status})", remedy, permanent=True)
    return CameraFault(
        f"the server responded with an error ({status} {' '.join(str(reason).split())})",
        _CHECK,
        permanent=400 <= status < 500 and status not in _BUSY,
    )


def describe_network_error(error: object) -> CameraFault:
    """Return the fault for a connection's exception."""
    if isinstance(error, CameraFault):
        return error
    if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
        return CameraFault("unknown host name", "check the address", permanent=True)
    if isinstance(error, TimeoutError):
        return CameraFault("no response", _CHECK)
    if isinstance(error, ConnectionRefusedError):
        return CameraFault("connection refused", _CHECK)
    if isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected | ConnectionError):
        return CameraFault("the server closed the connection", _CHECK)
    if isinstance(error, http.client.InvalidURL | ValueError):
        return CameraFault("not a valid network address", "check the address", permanent=True)
    if isinstance(error, http.client.HTTPException):
        return CameraFault("the response is not HTTP", "check the port and the address", permanent=True)
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return CameraFault(redact_credentials(reason_of(text)), _CHECK)
