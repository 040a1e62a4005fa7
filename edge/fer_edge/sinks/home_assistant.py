"""Discovery messages that make a device's entities appear in Home Assistant.

They use the device-based discovery of the MQTT integration, version 2024.12 or later: one retained message
describes all entities of a device
(https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fer_edge._version import __version__

__all__ = [
    "BIRTH_TOPIC",
    "EVENT_TYPE",
    "OFFLINE",
    "ONLINE",
    "DeviceInfo",
    "build_device_id",
    "build_discovery",
    "build_discovery_topic",
    "build_rule_id",
]

BIRTH_TOPIC: Final = "homeassistant/status"
"""The topic on which Home Assistant publishes ``online`` once it has started."""

ONLINE: Final = "online"
OFFLINE: Final = "offline"
EVENT_TYPE: Final = "came_true"
"""The type of every event: a rule became true."""

_NAME: Final = "fer-edge"
_EXPIRES_S: Final = 120  # a state is published at least every 30 seconds
_MAX_NAME_LENGTH: Final = 120  # characters of a rule


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """A device in Home Assistant: its ID, display name, model and MQTT base topic."""

    id: str
    name: str
    model: str
    topic: str


def build_device_id(machine: str, topic: str) -> str:
    """Return an ID that is stable for a machine and topic and reveals neither."""
    return f"fer_edge_{_hash(f'fer-edge/{machine}/{topic}', 16)}"


def build_rule_id(text: str) -> str:
    """Return an ID for a rule that is the same in every run."""
    return _hash(text, 8)


def build_discovery_topic(device: DeviceInfo) -> str:
    """Return the topic for the device's discovery message."""
    return f"homeassistant/device/{device.id}/config"


def build_discovery(
    device: DeviceInfo, labels: Sequence[str], rules: Sequence[str], nobody: str
) -> dict[str, Any]:
    """Return the device's discovery message.

    It describes sensors for emotion, faces, frame rate and connection, and an event for each rule. ``nobody``
    is the state of the emotion sensor while no face is in view.
    """
    components = _describe_sensors(device, list(dict.fromkeys([*labels, nobody])))
    for text in rules:
        components[f"rule_{build_rule_id(text)}"] = _describe_rule(device, text)
    for name, component in components.items():
        component["unique_id"] = f"{device.id}_{name}"
    return {
        "device": {
            "identifiers": [device.id],
            "name": device.name,
            "manufacturer": _NAME,
            "model": device.model,
            "sw_version": __version__,
        },
        "origin": {"name": _NAME, "sw_version": __version__},
        "state_topic": f"{device.topic}/state",
        "components": components,
    }


def _describe_sensors(device: DeviceInfo, emotions: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the sensors of every device.

    All except the connection sensor are unavailable while the device is offline.
    """
    available = {"availability_topic": f"{device.topic}/availability"}
    return {
        "emotion": {
            "platform": "sensor",
            "name": "Emotion",
            "device_class": "enum",
            "options": list(emotions),
            "value_template": "{{ value_json.emotion }}",
            "json_attributes_topic": f"{device.topic}/state",
            "json_attributes_template": "{{ {'score': value_json.score} | tojson }}",
            "expire_after": _EXPIRES_S,
            "icon": "mdi:emoticon-outline",
            **available,
        },
        "faces": {
            "platform": "sensor",
            "name": "Faces in view",
            "state_class": "measurement",
            "value_template": "{{ value_json.faces }}",
            "expire_after": _EXPIRES_S,
            "icon": "mdi:face-recognition",
            **available,
        },
        "fps": {
            "platform": "sensor",
            "name": "Frame rate",
            "state_class": "measurement",
            "unit_of_measurement": "fps",
            "suggested_display_precision": 1,
            "value_template": "{{ value_json.fps }}",
            "expire_after": _EXPIRES_S,
            "entity_category": "diagnostic",
            "icon": "mdi:speedometer",
            **available,
        },
        "connection": {
            "platform": "binary_sensor",
            "name": "Connection",
            "device_class": "connectivity",
            "state_topic": f"{device.topic}/availability",
            "payload_on": ONLINE,
            "payload_off": OFFLINE,
            "entity_category": "diagnostic",
        },
    }


def _describe_rule(device: DeviceInfo, text: str) -> dict[str, Any]:
    """Return the event entity of a rule; it filters the events topic by rule ID."""
    name = " ".join(text.split())
    return {
        "platform": "event",
        "name": name if len(name) <= _MAX_NAME_LENGTH else f"{name[: _MAX_NAME_LENGTH - 1]}…",
        "state_topic": f"{device.topic}/events",
        "availability_topic": f"{device.topic}/availability",
        "event_types": [EVENT_TYPE],
        "value_template": f"{{% if value_json.rule_id == '{build_rule_id(text)}' %}}{{{{ value }}}}{{% endif %}}",
        "qos": 1,
        "icon": "mdi:bell-ring-outline",
    }


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:digits]
