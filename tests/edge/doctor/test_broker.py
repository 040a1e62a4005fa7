"""Whether a broker can be published to, tried on a real one."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from fer_edge.doctor import examine
from fer_edge.doctor.broker import check_broker
from tests.edge.sinks.brokers import Broker, free_port


def test_one_that_can(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Broker(tmp_path) as broker:
        (found,) = check_broker(f"mqtt://127.0.0.1:{broker.port}/home/door")
    assert found.status == "green"
    assert "connected in" in found.found
    assert caplog.messages == []
    assert logging.getLogger("fer_edge.sinks.mqtt").propagate


def test_nobody_there_and_a_password_that_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    (found,) = check_broker(f"mqtt://me:s3cret@127.0.0.1:{free_port()}/home/door")
    assert found.status == "red"
    assert "refused" in found.found
    assert found.remedy
    assert "s3cret" not in f"{found} {caplog.text}"


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "mqtt://", "mqtt://host/a+b"])
def test_what_is_no_address(url: str) -> None:
    (found,) = check_broker(url)
    assert found.status == "red"
    assert found.remedy


def test_it_is_looked_at_where_one_is_named() -> None:
    assert [f.name for f in examine(f"mqtt://127.0.0.1:{free_port()}/x")][-1] == "broker"
