"""``mqtt:TOPIC``: the event is published as JSON; ``mqtt``: where all events of the run are."""

from __future__ import annotations

from fer_edge.errors import UsageError
from fer_edge.events.base import Action, ActionRequest, Publisher
from fer_edge.events.engine import Event
from fer_edge.runtime.topics import check_topic
from fer_edge.sources.urls import redact_credentials

__all__ = ["PublishAction", "create_action"]


class PublishAction:
    """Publishes each event to a topic by the run's own connection, which holds it until the broker has it.

    Without a topic it does nothing: the run publishes every event below its base topic anyway.
    """

    def __init__(self, topic: str | None, publish: Publisher) -> None:
        self._topic, self._publish = topic, publish

    def perform(self, event: Event) -> None:
        """Hand it to the connection."""
        if self._topic is not None:
            self._publish(event.as_record(), self._topic)

    def close(self) -> None:
        """The connection is the run's."""


def create_action(request: ActionRequest) -> Action:
    """Make the action of ``mqtt`` or ``mqtt:TOPIC``; raises UsageError for a wrong topic, or without a broker."""
    if request.rest.startswith("//"):
        shown = redact_credentials(request.target)
        raise UsageError(f"--then mqtt: takes a topic, got {shown!r}; the broker is named with --mqtt")
    if request.publish is None:
        raise UsageError(f"--then {request.target} needs a broker; name it with --mqtt")
    if ":" not in request.target:
        return PublishAction(None, request.publish)
    check_topic(request.rest)
    return PublishAction(request.rest, request.publish)
