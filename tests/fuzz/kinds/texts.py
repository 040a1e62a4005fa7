"""Typed text: model specs, rules, addresses, names with time fields."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fer_edge.classification.preprocess import extract_face
from fer_edge.errors import FerEdgeError
from fer_edge.events.rules import parse_rule
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, ModelSpec, read_spec
from fer_edge.sinks.http.address import parse_address as parse_serve_address
from fer_edge.sinks.mqtt.address import parse_address as parse_mqtt_address
from fer_edge.sinks.rotation.timed_name import TimedName
from fer_edge.types import Detection, FaceBox, Frame
from tests.edge.support import noise
from tests.fuzz.case import Kind
from tests.fuzz.kinds.mutation import damaged_json, damaged_text

__all__ = ["TEXTS"]


# --- model specs ---


def _specs() -> SearchStrategy[str]:
    return damaged_json(find_model().spec.as_dict())


def _read_spec(text: str, folder: Path) -> None:
    path = folder / "spec.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    spec = read_spec(path)
    assert ModelSpec.from_json(spec.to_json()) == spec
    pixels = extract_face(Frame(noise(90, 70)), Detection(FaceBox(5, 5, 50, 50)), spec)
    assert pixels.shape == (spec.height, spec.width, spec.channels)


# --- rules ---

_WORDS: Final = (
    *FER2013_LABELS, "any", "no face", "faces", "not", "and", "or", "for", "every", "(", ")", ">", ">=", "<", "<=",
    "==", "0.8", "2", "2s", "60s", "5m", "1h", "-1s", "1e9s", "nan", "inf", "%", "happy > 0.8", "faces >= 3",
)  # fmt: skip


def _rules() -> SearchStrategy[str]:
    grammar = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=14).map(" ".join)
    right = "any happy > 0.8 for 2s and (faces >= 3 or not no face for 60s) every 10s"
    nested = st.integers(1, 3000).map(lambda depth: "(" * depth + "happy > 0.5" + ")" * depth)
    long = st.integers(1, 3000).map(lambda count: " and ".join(["happy > 0.5"] * count))
    return st.one_of(grammar, grammar, damaged_text(right), nested, long, st.text(max_size=200))


def _parse_rule(text: str, _: Path) -> None:
    parse_rule(text, FER2013_LABELS)


# --- addresses ---


def _addresses() -> SearchStrategy[str]:
    right = [
        "mqtt://user:secret@broker:1883/home/door",
        "mqtts://[::1]:8883/a",
        "0.0.0.0:8080",
        "[::]:80",
        "80",
    ]
    return st.sampled_from(right).flatmap(damaged_text) | st.text(max_size=60)


def _parse_addresses(text: str, _: Path) -> None:
    with suppress(FerEdgeError):
        parse_serve_address(text)
    try:
        parse_mqtt_address(text, environment={})
    except FerEdgeError as error:
        shown = str(error)
        assert "secret" not in shown
        raise


# --- names with time fields ---


def _timed_names() -> SearchStrategy[tuple[str, int]]:
    piece = st.sampled_from(
        ["rows-", "%Y", "%m", "%d", "%H", "%M", "%S", "%F", "%%", "%", "%q", "/", "..", ".", " ", "é"]
    )
    name = st.lists(piece | st.text(max_size=4), min_size=1, max_size=10).map("".join)
    return st.tuples(name, st.integers(0, 2**33))


def _expand_name(value: tuple[str, int], _: Path) -> None:
    text, seconds = value
    name = TimedName(text)
    path = name.expand(datetime.fromtimestamp(seconds, UTC))
    assert name.matches_relative(name.relative(path)) or not name.rotates


def _kind(values: Any, run: Any) -> Kind:
    return Kind(values, run, batch=100)


TEXTS: Final[dict[str, Kind]] = {
    "spec": _kind(_specs, _read_spec),
    "rule": _kind(_rules, _parse_rule),
    "address": _kind(_addresses, _parse_addresses),
    "timed-name": _kind(_timed_names, _expand_name),
}
