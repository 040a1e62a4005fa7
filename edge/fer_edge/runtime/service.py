"""Telling systemd how a service does, by its notification protocol: see sd_notify(3)."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

__all__ = ["ServiceNotifier"]


class ServiceNotifier:
    """Sends a service manager what a run reports; what cannot be sent is lost, and nothing else is.

    ``watchdog_s`` is the time within which the manager wants to hear from the run; None: it does not watch it.
    """

    def __init__(self, address: str, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        # A name in Linux's abstract namespace begins with @, which stands for a zero byte.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    @classmethod
    def from_environment(cls) -> ServiceNotifier | None:
        """The notifier of the manager that started this process; None where none did, or it wants no news."""
        address = os.environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
            return None
        watchdog_s = None
        if os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            with suppress(ValueError):
                watchdog_s = int(os.environ.get("WATCHDOG_USEC", "")) / 1e6
        return cls(address, watchdog_s if watchdog_s and watchdog_s > 0 else None)

    def notify(self, *assignments: str) -> None:
        """Send assignments such as ``READY=1``, each on a line."""
        message = "\n".join(text.replace("\n", " ") for text in assignments).encode("utf-8", "replace")
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # a manager that does not read holds nothing up
            sender.sendto(message, self._address)
