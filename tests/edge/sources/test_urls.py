"""URLs as names of sources."""

from __future__ import annotations

import pytest

from fer_edge.sources.urls import is_url, redact_credentials, scheme_of
from fer_edge.sources.video import VideoSource


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rtsp://camera/1", True),
        ("http://127.0.0.1:8080/stream", True),
        ("clip.mp4", False),
        ("/a/b", False),
        ("C:\\clip.mp4", False),
        ("://", False),
        ("odd name://clip.mp4", False),
    ],
)
def test_a_url_has_a_scheme(name: str, expected: bool) -> None:
    assert is_url(name) is expected


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("rtsp://user:secret@host:554/a", "rtsp://user:***@host:554/a"),
        ("http://:secret@host/", "http://:***@host/"),
        ("http://user:se:c@ret@host/a?b=c:d@e", "http://user:***@host/a?b=c:d@e"),
        ("http://user@host/a", "http://user@host/a"),
        ("http://host:80/a:b@c", "http://host:80/a:b@c"),
        ("a:b@c.mp4", "a:b@c.mp4"),
    ],
)
def test_a_password_is_not_part_of_a_source_s_name(given: str, shown: str) -> None:
    assert redact_credentials(given) == shown
    assert VideoSource(given).info.name == shown


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("rtsp://camera/1", "rtsp"),
        ("ndi:studio", "ndi"),
        ("home-assistant:", "home-assistant"),
        ("C:\\clip.mp4", None),
        ("clip.mp4", None),
        ("./odd:name", None),
        ("Odd:name", None),
        (":name", None),
        ("", None),
    ],
)
def test_a_scheme_stands_before_the_first_colon(name: str, scheme: str | None) -> None:
    assert scheme_of(name) == scheme
