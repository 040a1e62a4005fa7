"""``print``: write one line to standard output for each event."""

from __future__ import annotations

import logging
import sys
from typing import Final

from fer_edge.errors import UsageError
from fer_edge.events.base import Action, ActionRequest
from fer_edge.events.engine import Event

__all__ = ["PrintAction", "create_action"]


_LOG: Final = logging.getLogger(__name__)


class PrintAction:
    """An action that prints the time, the rule and the face of each event.

    A closed pipe ends a run without other outputs; any other failure is a warning.
    """

    def perform(self, event: Event) -> None:
        """Print the event."""
        frame = event.result.frame
        when = (
            f"{frame.clock:%Y-%m-%d %H:%M:%S}" if frame.clock is not None else f"{frame.time_s or 0.0:.2f} s"
        )
        whose = "" if event.face is None else f" (face {event.face})"
        try:
            sys.stdout.write(f"{when}: {' '.join(event.rule.text.split())}{whose}\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            _LOG.warning("print: cannot write to standard output: %s", error.strerror or error)

    def close(self) -> None:
        """Do nothing: the action holds no resources."""


def create_action(request: ActionRequest) -> Action:
    """Create the action; raises UsageError if the name is followed by more text."""
    if request.target.lower() != "print":
        raise UsageError(f"{request.target!r}: print takes no target; write just print")
    return PrintAction()
