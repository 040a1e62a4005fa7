"""Explanations of connection failures, in one line that says what to do."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Failure", "explain_error", "explain_refusal", "explain_silence"]

_BAD_USER: Final = 134  # reason codes of MQTT 5; Paho translates older codes to them
_NOT_AUTHORIZED: Final = 135


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why there is no connection, with a hint for the command line.

    ``needs_user``: only the user can fix it.
    """

    reason: str
    needs_user: bool = False
    hint: str | None = None


def explain_error(error: Exception, *, encrypted: bool) -> Failure:
    """Explain why a connection failed and what to do; ``encrypted``: it uses TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(
            f"the broker's certificate is not trusted ({error.verify_message})",
            hint="specify the authority that signed it with --mqtt-ca, and use the host name in the certificate",
            needs_user=True,
        )
    if isinstance(error, ssl.SSLError):
        return Failure(
            f"TLS error ({error.reason or error}); check that the port uses TLS (usually 8883), and check "
            "the client certificate",
            needs_user=True,
        )
    if isinstance(error, ConnectionResetError) and encrypted:
        return Failure(
            "broker closes the connection before TLS starts; check that the port uses TLS (usually 8883)"
        )
    if isinstance(error, socket.gaierror):
        return Failure(f"host not found ({error.strerror})")
    if isinstance(error, TimeoutError):
        return Failure("broker does not answer")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Failure(f"cannot connect: {reason}")


def explain_refusal(reason: Any) -> Failure:
    """Explain why a broker refuses a connection, given Paho's reason code."""
    if reason.value in (_BAD_USER, _NOT_AUTHORIZED):
        return Failure("broker refuses the user or the password; check both", needs_user=True)
    return Failure(f"broker refuses the connection: {reason}")


def explain_silence(*, encrypted: bool) -> Failure:
    """Explain why a broker may have closed a connection without an answer.

    ``encrypted``: the connection uses TLS.
    """
    needed = "a client certificate" if encrypted else "TLS (mqtts:// in the address)"
    return Failure(
        f"broker closes the connection without an answer; it may need {needed}, or not allow retained "
        "messages",
        hint="name the certificate with --mqtt-cert" if encrypted else None,
    )
