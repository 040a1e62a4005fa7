"""The registry of actions: add a module to this folder and a line here."""

from __future__ import annotations

from typing import Final

from fer_edge.errors import UsageError
from fer_edge.events.base import Action, ActionFactory, ActionRequest, Publisher
from fer_edge.runtime.registry import Registry

__all__ = ["ACTIONS", "create_action"]

ACTIONS: Final = Registry[ActionFactory](
    "action",
    "fer_edge.event_actions",
    {
        "exec": "fer_edge.events.command:create_action",
        "http": "fer_edge.events.webhook:create_action",
        "https": "fer_edge.events.webhook:create_action",
        "mqtt": "fer_edge.events.publishing:create_action",
        "print": "fer_edge.events.printing:create_action",
    },
)
"""The actions for ``--then``, written as ``NAME`` or ``NAME:target``."""


def create_action(target: str, publish: Publisher | None = None) -> Action:
    """Create the action for the text after ``--then``.

    ``publish`` publishes over the run's MQTT connection; None if the run has no broker. Raises UsageError if
    the text is invalid.
    """
    name = target.partition(":")[0].lower()
    if name not in ACTIONS:
        raise UsageError(
            f"unknown action {name!r}; choose one of: {', '.join(ACTIONS.names)}, for example print, "
            "exec:COMMAND or https://HOST/PATH"
        )
    return ACTIONS.load(name)(ActionRequest(target, publish))
