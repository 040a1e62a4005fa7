"""``mqtt:TOPIC``: the event is published as JSON."""

from __future__ import annotations

from fer_edge.errors import UsageError
from fer_edge.events.base import Action, ActionRequest, Publisher
from fer_edge.events.engine import Event
from fer_edge.runtime.topics import check_topic
from fer_edge.sources.urls import redact_credentials

__all__ = ["PublishAction", "create_action"]


class PublishAction:
    """Publishes each event to a topic by the run's own connection, which holds it until the broker has it."""

    def __init__(self, topic: str, publish: Publisher) -> None:
        self._topic, self._publish = topic, publish

    def perform(self, event: Event) -> None:
        """Hand it to the connection."""
        self._publish(event.as_record(), self._topic)

    def close(self) -> None:
        """The connection is the run's."""


def create_action(request: ActionRequest) -> Action:
    """Make the action of ``mqtt:TOPIC``; raises UsageError for a topic that cannot be, or without a broker."""
    if request.rest.startswith("//"):
        shown = redact_credentials(request.target)
        raise UsageError(f"--then mqtt: takes a topic, got {shown!r}; the broker is named with --mqtt")
    if request.publish is None:
        raise UsageError(f"--then {request.target} needs a broker; name it with --mqtt")
    check_topic(request.rest)
    return PublishAction(request.rest, request.publish)
