"""Where a broker is and how it is spoken to: the URL, credentials, TLS."""

from __future__ import annotations

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
_SPARE: Final = len("/availability")  # the longest that comes below the base topic
_MOST_CREDENTIAL: Final = 65_535  # bytes, of MQTT 3.1.1
_USER: Final = "FER_EDGE_MQTT_USER"
_PASSWORD: Final = "FER_EDGE_MQTT_PASSWORD"
_PASSWORD_FILE: Final = "FER_EDGE_MQTT_PASSWORD_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Files in PEM: of the authority that signed the broker's certificate, and of one's own certificate and key."""

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """A broker, the topic below which is published, and who publishes; shown without user and password.

    ``tls`` is None for a connection in clear text.
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
    """Parse ``mqtt[s]://[user:password@]host[:port]/topic``; user and password may be in the environment instead.

    Raises UsageError for what cannot be meant, OutputError for a file that cannot be read. Its messages do not show
    the URL: what is wrong with it may be that the password is not where it belongs.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        user = None if parts.username is None else unquote(parts.username, errors="strict")
        password = None if parts.password is None else unquote(parts.password, errors="strict")
        topic = unquote(parts.path, errors="strict").removeprefix("/").removesuffix("/")
    except ValueError:
        raise UsageError(f"--mqtt: this is not the address of a broker; write {_EXAMPLE}") from None
    if parts.scheme not in _PORTS or not host or port == 0 or " " in host:
        raise UsageError(f"--mqtt: this is not the address of a broker; write {_EXAMPLE}")
    if "#" in url or "?" in url:
        raise UsageError("--mqtt: a broker's address has no ? and no #; in a password write %3F and %23")
    if not topic:
        raise UsageError(f"--mqtt: the address names no topic; write {_EXAMPLE}")
    check_topic(topic, spare=_SPARE)
    if "" in topic.split("/"):
        raise UsageError("--mqtt: a level of the topic is empty; write single slashes")
    user, password = _find_credentials(user or None, password, environment)
    encrypted = parts.scheme == "mqtts"
    if not encrypted and files != TlsFiles():
        raise UsageError(
            "--mqtt-ca, --mqtt-cert and --mqtt-key are for TLS; write mqtts:// instead of mqtt://"
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
    """What the URL says, otherwise the environment, otherwise the file that it names."""
    user = user or environment.get(_USER) or None
    if password is None:
        password = environment.get(_PASSWORD) or None
    file = environment.get(_PASSWORD_FILE)
    if password is None and file:
        try:
            password = Path(file).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not text in UTF-8"
            raise OutputError(
                f"{file}: cannot read the password that {_PASSWORD_FILE} names: {why}"
            ) from None
    if password is not None and user is None:
        raise UsageError(f"an MQTT password needs a user; name one in the URL or in {_USER}")
    for what, value in (("user", user), ("password", password)):
        try:
            usable = value is None or ("\0" not in value and len(value.encode()) <= _MOST_CREDENTIAL)
        except UnicodeEncodeError:
            usable = False
        if not usable:
            raise UsageError(
                f"the MQTT {what} is not text in UTF-8, holds a zero byte or is too long; give another"
            )
    return user, password


def create_tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Trust the system's authorities, or the one that is named; raises UsageError, OutputError."""
    if files.key is not None and files.certificate is None:
        raise UsageError("--mqtt-key belongs to a certificate; name it with --mqtt-cert")
    for path in (files.authority, files.certificate, files.key):
        if path is not None:
            try:
                path.read_bytes()
            except OSError as error:
                raise OutputError(f"{path}: cannot read it: {error.strerror or error}") from error
    try:
        context = ssl.create_default_context(cafile=files.authority)
    except (ssl.SSLError, ValueError) as error:
        raise OutputError(f"{files.authority}: not a certificate in PEM; name the authority's") from error
    if files.certificate is not None:
        try:
            # Asked for a password, OpenSSL would wait for it on the terminal.
            context.load_cert_chain(files.certificate, files.key, password=lambda: "")
        except (ssl.SSLError, ValueError) as error:
            raise OutputError(
                f"{files.key or files.certificate}: not the certificate's key in PEM without a password; name that"
            ) from error
    return context
