"""The address of an MQTT broker: URL, credentials and TLS."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from fer_edge.errors import OutputError, UsageError
from fer_edge.runtime.topics import check_topic

__all__ = ["BrokerAddress", "TlsFiles", "create_tls_context", "parse_address"]

_EXAMPLE: Final = "mqtt://host/topic, such as mqtt://192.168.1.5/home/door"
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_SPARE: Final = len("/availability")  # the longest suffix below the base topic
_MAX_FILE: Final = 4 << 20  # bytes of a password or certificate file; bundles of all authorities have 0.3 MB
_MAX_CREDENTIAL: Final = 65_535  # bytes, the limit in MQTT 3.1.1
_USER: Final = "FER_EDGE_MQTT_USER"
_PASSWORD: Final = "FER_EDGE_MQTT_PASSWORD"
_PASSWORD_FILE: Final = "FER_EDGE_MQTT_PASSWORD_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files for TLS.

    ``authority`` is the certificate of the authority that signed the broker's certificate; ``certificate``
    and ``key`` are those of the client.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """A broker, base topic and credentials; ``str()`` leaves out user and password.

    ``tls`` is None for an unencrypted connection.
    """

    host: str
    port: int
    topic: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtt' if self.tls is None else 'mqtts'}://{host}:{self.port}"


def parse_address(
    url: str, files: TlsFiles = TlsFiles(), environment: Mapping[str, str] = os.environ
) -> BrokerAddress:
    """Parse ``mqtt[s]://[user:password@]host[:port]/topic``.

    The user and password may be in the environment instead. Raises UsageError if the address is invalid,
    OutputError if a file cannot be read. The messages do not show the URL, because the mistake may be a
    misplaced password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        user = None if parts.username is None else unquote(parts.username, errors="strict")
        password = None if parts.password is None else unquote(parts.password, errors="strict")
        topic = unquote(parts.path, errors="strict").removeprefix("/").removesuffix("/")
    except ValueError:
        raise UsageError(f"invalid MQTT broker address; write {_EXAMPLE}") from None
    if parts.scheme not in _PORTS or not host or port == 0 or " " in host:
        raise UsageError(f"invalid MQTT broker address; write {_EXAMPLE}")
    if "#" in url or "?" in url:
        raise UsageError("an MQTT broker address must not contain ? or #; in a password write %3F and %23")
    if not topic:
        raise UsageError(f"the MQTT broker address has no topic; write {_EXAMPLE}")
    check_topic(topic, spare=_SPARE)
    if "" in topic.split("/"):
        raise UsageError("a level of the MQTT topic is empty; write single slashes")
    user, password = _find_credentials(user or None, password, environment)
    encrypted = parts.scheme == "mqtts"
    if not encrypted and files != TlsFiles():
        raise UsageError(
            "an authority, certificate or key needs TLS; write mqtts:// instead of mqtt://",
            hint="or leave out --mqtt-ca, --mqtt-cert and --mqtt-key",
        )
    return BrokerAddress(
        host=host,
        port=port or _PORTS[parts.scheme],
        topic=topic,
        user=user,
        password=password,
        tls=create_tls_context(files) if encrypted else None,
    )


def _find_credentials(
    user: str | None, password: str | None, environment: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Return user and password from the URL, environment or password file."""
    user = user or environment.get(_USER) or None
    if password is None:
        password = environment.get(_PASSWORD) or None
    file = environment.get(_PASSWORD_FILE)
    if password is None and file:
        try:
            password = _read_small_file(Path(file)).decode().removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise OutputError(
                f"{file}: cannot read the password file named in {_PASSWORD_FILE}: {reason}; "
                "check its name, permissions and content"
            ) from None
    if password is not None and user is None:
        raise UsageError(f"an MQTT password needs a user; set one in the URL or in {_USER}")
    for what, value in (("user", user), ("password", password)):
        try:
            usable = value is None or ("\0" not in value and len(value.encode()) <= _MAX_CREDENTIAL)
        except UnicodeEncodeError:
            usable = False
        if not usable:
            raise UsageError(
                f"the MQTT {what} is not UTF-8 text, contains a zero byte or is too long; use another"
            )
    return user, password


def _read_small_file(path: Path) -> bytes:
    """Return the content of a file or pipe. Raises OSError, also if it is too large or endless."""
    with path.open("rb") as file:
        content = file.read(_MAX_FILE + 1)
    if len(content) > _MAX_FILE:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return content


def create_tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a TLS context for the given files.

    It trusts the given authority, or else those of the system. Raises UsageError or OutputError.
    """
    if files.key is not None and files.certificate is None:
        raise UsageError("a private key needs a certificate", hint="specify it with --mqtt-cert")
    for path in (files.authority, files.certificate, files.key):
        if path is not None:
            try:
                _read_small_file(path)
            except OSError as error:
                raise OutputError(
                    f"{path}: cannot read file: {error.strerror or error}; check its name and permissions"
                ) from error
    try:
        context = ssl.create_default_context(cafile=files.authority)
    except (ssl.SSLError, ValueError) as error:
        raise OutputError(
            f"{files.authority}: not a PEM certificate; use the certificate of the broker's authority"
        ) from error
    if files.certificate is not None:
        try:
            # Without this callback OpenSSL would prompt for a password on the terminal.
            context.load_cert_chain(files.certificate, files.key, password=lambda: "")
        except (ssl.SSLError, ValueError) as error:
            raise OutputError(
                f"{files.key or files.certificate}: not the certificate's key; "
                "use a PEM key without a password"
            ) from error
    return context
