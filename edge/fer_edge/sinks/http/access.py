"""Access control: the token, the requested host, and the requesting site."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from functools import cached_property
from typing import Final

from fer_edge.errors import UsageError
from fer_edge.sinks.http.address import Listener
from fer_edge.sinks.http.request import Request, RequestError

__all__ = ["TOKEN_VARIABLE", "Access", "choose_token"]

TOKEN_VARIABLE: Final = "FER_EDGE_TOKEN"
"""The environment variable with the token, for a token that survives restarts."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]{16,128}", re.ASCII)
_TOKEN_BYTES: Final = 16
_COOKIE_S: Final = 30 * 24 * 3600
_HOST: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{1,5})?", re.ASCII
)
_OWN_SITE: Final = frozenset({"same-origin", "none"})


def choose_token(listener: Listener, given: str) -> str | None:
    """Return the token that readers need, or None if access is open.

    If the user provided a token (``given``), it is used. Otherwise a random token is generated if other machines can
    connect, and access is open if not. Raises UsageError if the user's token is too easy to guess.
    """
    if given:
        if not _TOKEN.fullmatch(given):
            raise UsageError(
                f"expected 16 to 128 letters, digits, '-', '_', '.' or '~' in {TOKEN_VARIABLE}; "
                "create one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"
            )
        return given
    return None if listener.is_loopback else secrets.token_urlsafe(_TOKEN_BYTES)


class Access:
    """Checks who may read from a listener; with ``token`` None, no token is needed."""

    def __init__(self, listener: Listener, token: str | None) -> None:
        self._token = token
        self._loopback = listener.is_loopback
        self._named = listener.asked.host.lower()
        self._cookie = f"fer_edge_{listener.port}"  # browsers share cookies between ports

    def check_host(self, request: Request) -> None:
        """Raise RequestError if the requested host name is not a name of this machine.

        This prevents DNS rebinding, in which the name of another site is made to point here.
        """
        header = request.headers.get("host")
        match = _HOST.fullmatch(header) if header is not None else None
        if match is None:
            raise RequestError(400, "The Host header is missing or invalid.")
        host = (match["ipv6"] or match["name"]).lower().rstrip(".")
        if not self._is_own_name(host):
            raise RequestError(
                403, "This server does not accept this host name; use the address that fer-edge printed."
            )

    def _is_own_name(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host in ("localhost", self._named) or (not self._loopback and host in self._machine_names)
        return address.is_loopback or not self._loopback

    @cached_property
    def _machine_names(self) -> frozenset[str]:
        # Looking up the full name may query a name server, so it is done only when needed.
        name = socket.gethostname().lower()
        return frozenset({name, f"{name.partition('.')[0]}.local", socket.getfqdn().lower()})

    def check_site(self, request: Request, *, is_linkable: bool) -> None:
        """Raise RequestError if another site makes the request.

        Links from other sites are allowed to a path that ``is_linkable``.
        """
        site = request.headers.get("sec-fetch-site")
        if site is None:
            # Browsers send Sec-Fetch-Site only over HTTPS and to this machine; Origin reveals scripts of
            # other sites.
            host = request.headers.get("origin", f"//{request.headers['host']}").partition("//")[2]
            own = host.lower() == request.headers["host"].lower()
        else:
            own = site in _OWN_SITE or (is_linkable and request.headers.get("sec-fetch-mode") == "navigate")
        if not own:
            raise RequestError(403, "Requests from other sites are not allowed.")

    def is_allowed(self, request: Request) -> bool:
        """Return whether a request has the token as cookie or bearer token, or access is open."""
        if self._token is None:
            return True
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = [bearer.strip()] if scheme.lower() == "bearer" else []
        for part in request.headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie:
                given.append(value)
        return any(map(self._is_token, given))

    def accepts(self, parameter: str | None) -> bool:
        """Return whether the ``token=`` parameter of an address is the right token."""
        return self._token is not None and parameter is not None and self._is_token(parameter)

    def format_cookie(self) -> str:
        """Return the cookie that carries the token in later requests."""
        return f"{self._cookie}={self._token}; Path=/; Max-Age={_COOKIE_S}; HttpOnly; SameSite=Strict"

    def _is_token(self, given: str) -> bool:
        token = self._token or ""
        return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
