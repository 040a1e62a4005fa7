"""Who may read: the token, the host that was asked for, the page that asks."""

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
"""The variable of the environment that sets the token, so that it outlives a restart."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]{16,128}", re.ASCII)
_TOKEN_BYTES: Final = 16
_COOKIE_S: Final = 30 * 24 * 3600
_HOST: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{1,5})?", re.ASCII
)
_OWN_SITE: Final = frozenset({"same-origin", "none"})


def choose_token(listener: Listener, given: str) -> str | None:
    """The token that readers need: the one given, or a random one where other machines can connect.

    ``given`` is the user's, "" for none. Raises UsageError where it is too easy to guess.
    """
    if given:
        if not _TOKEN.fullmatch(given):
            raise UsageError(
                f"expected 16 to 128 letters, digits, '-', '_', '.' or '~' in {TOKEN_VARIABLE}; make one with: "
                "python3 -c 'import secrets; print(secrets.token_urlsafe())'"
            )
        return given
    return None if listener.is_loopback else secrets.token_urlsafe(_TOKEN_BYTES)


class Access:
    """Tells who may read what the listener serves; ``token`` None asks for none."""

    def __init__(self, listener: Listener, token: str | None) -> None:
        self._token = token
        self._loopback = listener.is_loopback
        self._named = listener.asked.host.lower()
        self._cookie = f"fer_edge_{listener.port}"  # cookies do not tell ports apart

    def check_host(self, request: Request) -> None:
        """Refuse a host name that is not this machine's: another site's name may be made to point here.

        Raises RequestError.
        """
        header = request.headers.get("host")
        match = _HOST.fullmatch(header) if header is not None else None
        if match is None:
            raise RequestError(400, "The request's Host header is missing or cannot be read.")
        host = (match["ipv6"] or match["name"]).lower().rstrip(".")
        if not self._is_own_name(host):
            raise RequestError(
                403, "This host name is not one that is served here; use the address that was printed."
            )

    def _is_own_name(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host in ("localhost", self._named) or (not self._loopback and host in self._machine_names)
        return address.is_loopback or not self._loopback

    @cached_property
    def _machine_names(self) -> frozenset[str]:
        # The full name may be asked of a name server: not before somebody uses it.
        name = socket.gethostname().lower()
        return frozenset({name, f"{name.partition('.')[0]}.local", socket.getfqdn().lower()})

    def check_site(self, request: Request, *, document: bool) -> None:
        """Refuse what another site's page reads; a link to a ``document`` may be followed. Raises RequestError."""
        site = request.headers.get("sec-fetch-site")
        if site is None:
            # Browsers say so over HTTPS and to this machine alone; with an Origin they tell of other sites' scripts.
            host = request.headers.get("origin", f"//{request.headers['host']}").partition("//")[2]
            own = host.lower() == request.headers["host"].lower()
        else:
            own = site in _OWN_SITE or (document and request.headers.get("sec-fetch-mode") == "navigate")
        if not own:
            raise RequestError(403, "Other sites may not read this.")

    def is_allowed(self, request: Request) -> bool:
        """Whether the request carries the token, in its cookie or as a bearer; True where none is asked for."""
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
        """Whether an address's ``token=`` is the one that is asked for."""
        return self._token is not None and parameter is not None and self._is_token(parameter)

    def format_cookie(self) -> str:
        """The cookie that stands for the token from now on."""
        return f"{self._cookie}={self._token}; Path=/; Max-Age={_COOKIE_S}; HttpOnly; SameSite=Strict"

    def _is_token(self, given: str) -> bool:
        token = self._token or ""
        return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
