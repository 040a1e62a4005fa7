"""The address of the live view: parsing and listening."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from typing import Final

from fer_edge.errors import OutputError, UsageError

__all__ = ["Listener", "ServeAddress", "listen", "parse_address"]

LOOPBACK: Final = "127.0.0.1"

_ADDRESS: Final = re.compile(
    r"(?:(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<name>[A-Za-z0-9._-]+)):)?(?P<port>[0-9]+)", re.ASCII
)
_LAST_PORT: Final = 65_535
_WAITING: Final = 128  # connections queued by the system until they are accepted
_SEND_BUFFER: Final = 64 << 10  # bytes; a larger buffer would hold seconds of old images for a slow viewer
_DOCUMENTATION: Final = ("192.0.2.1", 9)  # reserved for documentation (RFC 5737); nothing is sent there


@dataclass(frozen=True, slots=True)
class ServeAddress:
    """A host name or IP address to serve on, and a port (0 for any free port)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{_bracket(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket and the address it was requested for."""

    socket: socket.socket
    asked: ServeAddress

    @property
    def port(self) -> int:
        """The port of the socket."""
        return int(self.socket.getsockname()[1])

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return ipaddress.ip_address(self.socket.getsockname()[0].partition("%")[0]).is_loopback

    @property
    def url(self) -> str:
        """The URL for browsers; if all interfaces are served, the URL of the default one."""
        host = self.socket.getsockname()[0]
        if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
            host = _find_own_address() or socket.gethostname()
        elif not self.is_loopback and not _is_ip(self.asked.host):
            host = self.asked.host
        return f"http://{_bracket(host)}:{self.port}/"


def parse_address(text: str) -> ServeAddress:
    """Parse ``[HOST:]PORT``; the default host is loopback. Raises UsageError."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise UsageError(
            "expected a port or HOST:PORT to serve on, such as 8080, 0.0.0.0:8080 or [::1]:8080, "
            f"got {text!r}"
        )
    if len(match["port"]) > len(str(_LAST_PORT)) or int(match["port"]) > _LAST_PORT:
        raise UsageError(f"expected a port from 0 to {_LAST_PORT} to serve on, got {match['port']}")
    host = match["ipv6"] or match["name"] or LOOPBACK
    if match["ipv6"] and not _is_ip(host):
        raise UsageError(f"expected an IPv6 address between the brackets, got {host!r}")
    return ServeAddress(host, int(match["port"]))


def listen(address: ServeAddress) -> Listener:
    """Listen on an address; raises OutputError on failure."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OutputError(
            f"cannot serve on {address}: unknown host; use a name of this machine, "
            "or 0.0.0.0 for all its addresses"
        ) from error
    family, _, _, _, where = min(found, key=lambda each: each[0] != socket.AF_INET)
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # on Windows it would let two programs share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and where[0] == "::":
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)  # accepted ones inherit it
        listening.bind(where)
        listening.listen(_WAITING)
    except OSError as error:
        listening.close()
        raise OutputError(f"cannot serve on {address}: {_explain(error)}") from error
    return Listener(listening, address)


def _explain(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "the port is already in use; choose another, or 0 for any free port"
        case errno.EACCES | errno.EPERM:
            return "the port is reserved for the system; choose 1024 or above"
        case errno.EADDRNOTAVAIL:
            return "not an address of this machine; use one that is, or 0.0.0.0 for all of them"
        case _:
            return f"{error.strerror or error}; choose another address"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _find_own_address() -> str | None:
    """Return the address of the default network interface; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_DOCUMENTATION)  # for UDP this selects the interface but sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])
