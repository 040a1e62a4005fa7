"""The doctor's publishing test, against a real broker."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_edge.doctor import examine
from fer_edge.doctor.broker import check_broker
from fer_edge.sinks.mqtt.address import TlsFiles
from tests.edge.sinks.brokers import Authority, Broker, free_port, hash_password

# Paho leaves the socket of a failed TLS handshake to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")


def test_a_broker_that_accepts_messages(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Broker(tmp_path) as broker:
        (found,) = check_broker(f"mqtt://127.0.0.1:{broker.port}/home/door")
    assert found.status == "green"
    assert "connected in" in found.found
    assert caplog.messages == []
    assert logging.getLogger("fer_edge.sinks.mqtt").propagate


def test_no_broker_and_the_password_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    (found,) = check_broker(f"mqtt://me:s3cret@127.0.0.1:{free_port()}/home/door")
    assert found.status == "red"
    assert "refused" in found.found
    assert found.remedy
    assert "s3cret" not in f"{found} {caplog.text}"


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "mqtt://", "mqtt://host/a+b"])
def test_an_invalid_address(url: str) -> None:
    (found,) = check_broker(url)
    assert found.status == "red"
    assert found.remedy


def test_the_broker_is_checked_if_one_is_given() -> None:
    assert [f.name for f in examine(f"mqtt://127.0.0.1:{free_port()}/x")][-1] == "broker"


def test_a_password_that_is_refused(tmp_path: Path) -> None:
    options = f"password_file {hash_password(tmp_path, 'me', 's3cret')}"
    with Broker(tmp_path, options, anonymous=False) as broker:
        (right,) = check_broker(f"mqtt://me:s3cret@127.0.0.1:{broker.port}/home/door")
        (wrong,) = check_broker(f"mqtt://me:guessed@127.0.0.1:{broker.port}/home/door")
    assert right.status == "green"
    assert (wrong.status, wrong.remedy) == ("red", "check both")
    assert "refuses the user or the password" in wrong.found
    assert "guessed" not in f"{wrong}"


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path, "authority")

    @pytest.fixture
    def broker(self, authority: Authority, tmp_path: Path) -> Iterator[Broker]:
        """Start a broker that requires client certificates."""
        certificate, key = authority.sign("broker")
        options = (
            f"certfile {certificate}",
            f"keyfile {key}",
            f"cafile {authority.certificate}",
            "require_certificate true",
        )
        with Broker(tmp_path, *options) as running:
            yield running

    def test_with_the_authority_and_a_certificate_it_connects(
        self, authority: Authority, broker: Broker
    ) -> None:
        certificate, key = authority.sign("me")
        files = TlsFiles(authority=authority.certificate, certificate=certificate, key=key)
        (found,) = check_broker(f"mqtts://127.0.0.1:{broker.port}/home/door", files)
        assert found.status == "green", found

    @pytest.mark.parametrize("named", [False, True])
    def test_another_authority_is_red_and_its_remedy_is_the_right_one(
        self, named: bool, broker: Broker, tmp_path: Path
    ) -> None:
        files = TlsFiles(authority=Authority(tmp_path, "other").certificate if named else None)
        (found,) = check_broker(f"mqtts://127.0.0.1:{broker.port}/home/door", files)
        assert found.status == "red"
        assert "certificate is not trusted" in found.found
        assert "--mqtt-ca" in found.remedy
        assert "--mqtt-ca" not in found.found

    def test_without_the_required_client_certificate(self, authority: Authority, broker: Broker) -> None:
        files = TlsFiles(authority=authority.certificate)
        (found,) = check_broker(f"mqtts://127.0.0.1:{broker.port}/home/door", files)
        assert found.status == "red"
        assert "--mqtt-cert" in found.remedy, found

    def test_a_file_that_does_not_exist_is_red(self, broker: Broker, tmp_path: Path) -> None:
        files = TlsFiles(authority=tmp_path / "missing.pem")
        (found,) = check_broker(f"mqtts://127.0.0.1:{broker.port}/home/door", files)
        assert found.status == "red"
        assert found.found.endswith("missing.pem: cannot read file: No such file or directory")
        assert found.remedy == "check its name and permissions"
