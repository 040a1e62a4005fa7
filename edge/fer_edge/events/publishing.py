"""``mqtt`` and ``mqtt:TOPIC``: publish the event as JSON through MQTT."""

from __future__ import annotations

from fer_edge.errors import UsageError
from fer_edge.events.base import Action, ActionRequest, Publisher
from fer_edge.events.engine import Event
from fer_edge.runtime.topics import check_topic
from fer_edge.sources.urls import redact_credentials

__all__ = ["PublishAction", "create_action"]


class PublishAction:
    """An action that publishes each event to a topic over the run's MQTT connection.

    The connection keeps the event until the broker has received it. Without a topic the action does nothing,
    because the run already publishes every event below its base topic.
    """

    def __init__(self, topic: str | None, publish: Publisher) -> None:
        self._topic, self._publish = topic, publish

    def perform(self, event: Event) -> None:
        """Pass the event to the connection."""
        if self._topic is not None:
            self._publish(event.as_record(), self._topic)

    def close(self) -> None:
        """Do nothing: the connection belongs to the run."""


def create_action(request: ActionRequest) -> Action:
    """Create the action for ``mqtt`` or ``mqtt:TOPIC``.

    Raises UsageError if the topic is invalid or the run has no broker.
    """
    if request.rest.startswith("//"):
        shown = redact_credentials(request.target)
        raise UsageError(
            f"{shown!r}: mqtt: takes a topic, not a broker", hint="specify the broker with --mqtt"
        )
    if request.publish is None:
        raise UsageError(f"{request.target!r}: publishing needs a broker", hint="specify it with --mqtt")
    if ":" not in request.target:
        return PublishAction(None, request.publish)
    check_topic(request.rest)
    return PublishAction(request.rest, request.publish)
