"""Discovery messages, checked against the documentation of Home Assistant.

The tables list the keys that we use, their types, and which are required. They follow the pages "MQTT" (device
discovery payload, 2024.12 and later), "MQTT Sensor", "MQTT binary sensor" and "MQTT Event" of home-assistant.io.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from fer_edge.sinks.home_assistant import (
    DeviceInfo,
    build_device_id,
    build_discovery,
    build_discovery_topic,
    build_rule_id,
)

Check = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_topic(value: Any) -> bool:
    return is_text(value) and not set(value) & set("+#\0")


def is_template(value: Any) -> bool:
    return is_text(value) and value.count("{{") == value.count("}}") > 0


def is_icon(value: Any) -> bool:
    return is_text(value) and re.fullmatch(r"mdi:[a-z0-9-]+", value) is not None


def is_texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) == len(set(value)) > 0 and all(map(is_text, value))


def is_one_of(*values: str) -> Check:
    return lambda value: value in values


def is_natural(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


DEVICE: Mapping[str, Check] = {
    "identifiers": is_texts,
    "name": is_text,
    "manufacturer": is_text,
    "model": is_text,
    "sw_version": is_text,
}
ORIGIN: Mapping[str, Check] = {"name": is_text, "sw_version": is_text}
ROOT: Mapping[str, Check] = {
    "device": lambda value: isinstance(value, dict),
    "origin": lambda value: isinstance(value, dict),
    "components": lambda value: isinstance(value, dict) and all(map(is_text, value)),
    "state_topic": is_topic,
}
EVERY_ENTITY: Mapping[str, Check] = {
    "platform": is_text,
    "unique_id": is_text,
    "name": is_text,
    "state_topic": is_topic,
    "value_template": is_template,
    "availability_topic": is_topic,
    "entity_category": is_one_of("config", "diagnostic"),
    "icon": is_icon,
    "qos": is_one_of(0, 1, 2),  # type: ignore[arg-type]
    "json_attributes_topic": is_topic,
    "json_attributes_template": is_template,
}
ENTITIES: Mapping[str, Mapping[str, Check]] = {
    "sensor": {
        "device_class": is_one_of("enum"),
        "options": is_texts,
        "state_class": is_one_of("measurement", "total", "total_increasing"),
        "unit_of_measurement": is_text,
        "suggested_display_precision": is_natural,
        "expire_after": is_natural,
    },
    "binary_sensor": {
        "device_class": is_one_of("connectivity"),
        "payload_on": is_text,
        "payload_off": is_text,
        "expire_after": is_natural,
    },
    "event": {"event_types": is_texts},
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "sensor": ("platform", "unique_id", "state_topic"),
    "binary_sensor": ("platform", "unique_id", "state_topic"),
    "event": ("platform", "unique_id", "state_topic", "event_types"),
}

LABELS = ("angry", "happy", "neutral")
RULES = ("happy > 0.8 for 2s", "\"it's\" > 0.5 or 'so {{ x }} %}'", "no   face for 60s", "x" * 1000)
INFO = DeviceInfo(
    id=build_device_id("machine", "home/door"), name="home door", model="default", topic="home/door"
)


@pytest.fixture
def message() -> dict[str, Any]:
    """Return the message as it arrives."""
    message: dict[str, Any] = json.loads(json.dumps(build_discovery(INFO, LABELS, RULES, "none")))
    return message


def check(values: Mapping[str, Any], schema: Mapping[str, Check]) -> None:
    for key, value in values.items():
        assert key in schema, f"{key} is not documented"
        assert schema[key](value), f"{key}: {value!r}"


def test_the_message_is_what_the_documentation_asks_for(message: dict[str, Any]) -> None:
    check(message, ROOT)
    assert set(message) == set(ROOT)
    check(message["device"], DEVICE)
    check(message["origin"], ORIGIN)


def test_every_entity_is_what_the_documentation_asks_for(message: dict[str, Any]) -> None:
    for name, component in message["components"].items():
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", name)
        platform = component["platform"]
        check(component, {**EVERY_ENTITY, **ENTITIES[platform]})
        shared = {"state_topic": message["state_topic"]}
        assert set(REQUIRED[platform]) <= set(shared | component)


def test_what_excludes_each_other_is_not_together(message: dict[str, Any]) -> None:
    for component in message["components"].values():
        assert ("options" in component) == (component.get("device_class") == "enum")
        assert not ("options" in component and {"state_class", "unit_of_measurement"} & set(component))
        assert not {"availability", "availability_topic"} <= set(component)


def test_ids_are_unique_and_fit_into_the_topic(message: dict[str, Any]) -> None:
    ids = [component["unique_id"] for component in message["components"].values()]
    assert len(set(ids)) == len(ids)
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", build_discovery_topic(INFO))


def test_the_emotion_may_be_each_label_or_none(message: dict[str, Any]) -> None:
    assert message["components"]["emotion"]["options"] == [*LABELS, "none"]


def test_a_model_that_knows_none_has_it_once() -> None:
    message = build_discovery(INFO, ("none", "happy"), (), "none")
    assert message["components"]["emotion"]["options"] == ["none", "happy"]


def test_everything_but_the_connection_is_unavailable_when_the_run_is_gone(message: dict[str, Any]) -> None:
    without = [name for name, each in message["components"].items() if "availability_topic" not in each]
    assert without == ["connection"]
    assert message["components"]["connection"]["state_topic"] == "home/door/availability"


def test_every_rule_has_an_event_of_its_own_whose_template_holds_nothing_of_its_text(
    message: dict[str, Any],
) -> None:
    events = [each for each in message["components"].values() if each["platform"] == "event"]
    assert len(events) == len(RULES)
    for text, event in zip(RULES, events, strict=True):
        assert event["value_template"] == (
            f"{{% if value_json.rule_id == '{build_rule_id(text)}' %}}{{{{ value }}}}{{% endif %}}"
        )
        assert len(event["name"]) <= 120
    assert events[2]["name"] == "no face for 60s"


def test_the_device_s_id_stays_and_tells_nothing() -> None:
    assert build_device_id("machine", "home/door") == INFO.id
    others = [build_device_id("machine", "home/hall"), build_device_id("other", "home/door")]
    assert len({INFO.id, *others}) == 3
    assert "machine" not in INFO.id
