"""The files that belong to ``--mqtt``, for every command that connects to a broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.errors import UsageError

if TYPE_CHECKING:
    from fer_edge.sinks.mqtt.address import TlsFiles

__all__ = ["create_tls_files"]


def create_tls_files(
    broker: str | None, authority: Path | None, certificate: Path | None, key: Path | None
) -> TlsFiles:
    """Put the files of ``--mqtt-ca``, ``--mqtt-cert`` and ``--mqtt-key`` together.

    Raises UsageError where there are any and no broker.
    """
    from fer_edge.sinks.mqtt.address import TlsFiles

    files = TlsFiles(authority=authority, certificate=certificate, key=key)
    if broker is None and files != TlsFiles():
        raise UsageError("--mqtt-ca, --mqtt-cert and --mqtt-key are for a broker; name it with --mqtt")
    return files
