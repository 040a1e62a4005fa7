"""Notify systemd of a service's state; see sd_notify(3)."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

__all__ = ["ServiceNotifier"]


class ServiceNotifier:
    """Sends a run's state to the service manager; failures to send are ignored.

    ``watchdog_s`` is the watchdog interval of the manager in seconds, None if it has no watchdog.
    """

    def __init__(self, address: str, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        # A leading @ denotes Linux's abstract namespace and stands for a zero byte.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    @classmethod
    def from_environment(cls) -> ServiceNotifier | None:
        """Return the notifier for the service manager that started this process.

        Returns None if there is none or it does not request notifications.
        """
        address = os.environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
            return None
        watchdog_s = None
        if os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            with suppress(ValueError):
                watchdog_s = int(os.environ.get("WATCHDOG_USEC", "")) / 1e6
        return cls(address, watchdog_s if watchdog_s and watchdog_s > 0 else None)

    def notify(self, *assignments: str) -> None:
        """Send assignments such as ``READY=1``, one per line."""
        message = "\n".join(text.replace("\n", " ") for text in assignments).encode("utf-8", "replace")
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # an unresponsive manager must not block the run
            sender.sendto(message, self._address)
