"""Why a broker cannot be reached, in a line that says what to do."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Failure", "explain_error", "explain_refusal", "explain_silence"]

_BAD_USER: Final = 134  # reason codes of MQTT 5, to which Paho translates older ones
_NOT_AUTHORIZED: Final = 135


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no connection; ``lasting``: only people can mend it."""

    reason: str
    lasting: bool = False


def explain_error(error: Exception, *, encrypted: bool) -> Failure:
    """Say why a connection cannot be made, and what to do; ``encrypted``: it would have been one with TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(
            f"its certificate is not trusted ({error.verify_message}); name the authority that signed it with "
            "--mqtt-ca, and the host as the certificate does",
            lasting=True,
        )
    if isinstance(error, ssl.SSLError):
        return Failure(
            f"TLS fails ({error.reason or error}); check that the port speaks TLS (usually 8883), and --mqtt-cert",
            lasting=True,
        )
    if isinstance(error, ConnectionResetError) and encrypted:
        return Failure(
            "it ends the connection before TLS begins; check that the port speaks TLS (usually 8883)"
        )
    if isinstance(error, socket.gaierror):
        return Failure(f"no such host ({error.strerror})")
    if isinstance(error, TimeoutError):
        return Failure("it does not answer")
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Failure(f"cannot connect: {why}")


def explain_refusal(reason: Any) -> Failure:
    """Say why a broker refuses a connection, by the reason that Paho gives."""
    if reason.value in (_BAD_USER, _NOT_AUTHORIZED):
        return Failure("it refuses the user or the password; check both", lasting=True)
    return Failure(f"it refuses the connection: {reason}")


def explain_silence(*, encrypted: bool) -> Failure:
    """Say why a broker may have ended a connection before it answered; ``encrypted``: it was one with TLS."""
    wanted = "a certificate that it accepts (--mqtt-cert)" if encrypted else "TLS (mqtts:// in the address)"
    return Failure(
        f"it ends the connection before it has answered; it may want {wanted}, or take no retained messages"
    )
