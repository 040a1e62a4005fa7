"""Broker addresses: valid forms, sources of the password, and that the password is never shown."""

from __future__ import annotations

import subprocess
import traceback
from pathlib import Path

import pytest

from fer_edge.errors import FerEdgeError, OutputError, UsageError
from fer_edge.sinks.mqtt.address import BrokerAddress, TlsFiles, parse_address
from tests.edge.sinks.brokers import Authority, find_mosquitto


def parse(url: str, files: TlsFiles | None = None, **environment: str) -> BrokerAddress:
    return parse_address(
        url, files or TlsFiles(), {f"FER_EDGE_MQTT_{name}": value for name, value in environment.items()}
    )


@pytest.mark.parametrize(
    ("url", "shown", "topic", "user", "password"),
    [
        ("mqtt://host/door", "mqtt://host:1883", "door", None, None),
        ("mqtt://host/home/door/", "mqtt://host:1883", "home/door", None, None),
        ("mqtts://host/door", "mqtts://host:8883", "door", None, None),
        ("mqtt://host:1884/door", "mqtt://host:1884", "door", None, None),
        ("MQTT://HOST/Door", "mqtt://host:1883", "Door", None, None),
        ("mqtt://[::1]:1884/door", "mqtt://[::1]:1884", "door", None, None),
        ("mqtt://me:secret@host/door", "mqtt://host:1883", "door", "me", "secret"),
        ("mqtt://me:p%40ss%3A%2F%23@host/door", "mqtt://host:1883", "door", "me", "p@ss:/#"),
        ("mqtt://me@host/door", "mqtt://host:1883", "door", "me", None),
        ("mqtt://host/K%C3%BCche", "mqtt://host:1883", "Küche", None, None),
        ("mqtt://host/Küche", "mqtt://host:1883", "Küche", None, None),
    ],
)
def test_a_url_names_host_topic_and_user(
    url: str, shown: str, topic: str, user: str | None, password: str | None
) -> None:
    address = parse(url)
    assert (str(address), address.topic, address.user, address.password) == (shown, topic, user, password)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "invalid MQTT broker address"),
        ("broker", "invalid MQTT broker address"),
        ("http://me:secret@host/topic", "invalid MQTT broker address"),
        ("mqtt:host/topic", "invalid MQTT broker address"),
        ("mqtt:///topic", "invalid MQTT broker address"),
        ("mqtt://ho st/topic", "invalid MQTT broker address"),
        ("mqtt://me:secret@host:0/topic", "invalid MQTT broker address"),
        ("mqtt://me:secret@host:70000/topic", "invalid MQTT broker address"),
        ("mqtt://me:secret@host:x/topic", "invalid MQTT broker address"),
        ("mqtt://[::1/topic", "invalid MQTT broker address"),
        ("mqtt://host/%ff", "invalid MQTT broker address"),
        ("mqtt://me:secret@host", "has no topic"),
        ("mqtt://me:secret@host/", "has no topic"),
        ("mqtt://host/a//b", "is empty"),
        ("mqtt://host//a", "is empty"),
        ("mqtt://host/home/+", "wildcards"),
        ("mqtt://host/home/#", "must not contain [?] or #"),
        ("mqtt://host/home/%23", "wildcards"),
        ("mqtt://host/home?retain=1", "must not contain [?] or #"),
        ("mqtt://me:se#cret@host/home", "invalid MQTT broker address"),
        ("mqtt://me:secret/home", "invalid MQTT broker address"),
        ("mqtt://me:se/cret@host/home", "invalid MQTT broker address"),
        ("mqtt://me:se?cret@host/home", "invalid MQTT broker address"),
        ("mqtt://host/$SYS/a", "reserved for the broker"),
        ("mqtt://host/a%00b", "control characters"),
        (f"mqtt://host/{'x' * 66_000}", "longer than"),
        ("mqtt://:secret@host/a", "needs a user"),
        ("mqtt://m%00e:secret@host/a", "zero byte"),
        ("mqtt://me:sec\udcffret@host/a", "not UTF-8 text"),
        (f"mqtt://me:{'secret' * 11_000}@host/a", "too long"),
        ("mqtt://host/a\udcff", "control characters"),
    ],
)
def test_impossible_options_are_refused_in_one_line(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        parse(url)
    assert "cret" not in "".join(traceback.format_exception(raised.value)).replace(repr(url), "")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


class TestCredentials:
    def test_they_may_be_in_the_environment(self) -> None:
        address = parse("mqtt://host/a", USER="me", PASSWORD="secret")
        assert (address.user, address.password) == ("me", "secret")

    def test_the_url_comes_first(self) -> None:
        address = parse("mqtt://you:open@host/a", USER="me", PASSWORD="secret")
        assert (address.user, address.password) == ("you", "open")

    def test_the_user_of_the_url_has_the_password_of_the_environment(self) -> None:
        assert parse("mqtt://me@host/a", PASSWORD="secret").password == "secret"

    @pytest.mark.parametrize("content", ["secret", "secret\n", "secret\r\n"])
    def test_a_file_may_hold_the_password(self, content: str, tmp_path: Path) -> None:
        file = tmp_path / "password"
        file.write_bytes(content.encode())
        assert parse("mqtt://me@host/a", PASSWORD_FILE=str(file)).password == "secret"

    def test_only_the_last_line_break_of_the_file_is_removed(self, tmp_path: Path) -> None:
        file = tmp_path / "password"
        file.write_text(" se cret\n\n")
        assert parse("mqtt://me@host/a", PASSWORD_FILE=str(file)).password == " se cret\n"

    @pytest.mark.parametrize("content", [None, b"\xff\xfe"])
    def test_a_file_that_cannot_be_read_is_said(self, content: bytes | None, tmp_path: Path) -> None:
        file = tmp_path / "password"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(OutputError, match="cannot read the password"):
            parse("mqtt://me@host/a", PASSWORD_FILE=str(file))

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
    def test_endless_files_are_refused(self) -> None:
        environment = {"FER_EDGE_MQTT_USER": "u", "FER_EDGE_MQTT_PASSWORD_FILE": "/dev/zero"}
        with pytest.raises(
            OutputError, match=r"/dev/zero: cannot read the password .*: File too large; check"
        ):
            parse_address("mqtt://host/a", environment=environment)
        with pytest.raises(OutputError, match="/dev/zero: cannot read file: File too large; check"):
            parse_address("mqtts://host/a", TlsFiles(authority=Path("/dev/zero")), {})

    def test_empty_variables_are_none(self) -> None:
        address = parse("mqtt://host/a", USER="", PASSWORD="", PASSWORD_FILE="")
        assert (address.user, address.password) == (None, None)

    def test_passwords_are_shown_nowhere(self) -> None:
        address = parse("mqtt://me:secret@host/a")
        assert "secret" not in f"{address} {address!r}"


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        find_mosquitto()
        return Authority(tmp_path, "authority")

    def test_a_certificate_is_checked_and_its_host_too(self, authority: Authority) -> None:
        tls = parse("mqtts://host/a", TlsFiles(authority=authority.certificate)).tls
        assert tls is not None
        assert tls.check_hostname
        assert tls.get_ca_certs()

    def test_without_tls_its_files_are_refused(self, authority: Authority) -> None:
        with pytest.raises(UsageError, match="mqtts://"):
            parse("mqtt://host/a", TlsFiles(authority=authority.certificate))

    def test_a_key_alone_is_refused(self, authority: Authority) -> None:
        _, key = authority.sign("me")
        with pytest.raises(UsageError, match="a private key needs a certificate"):
            parse("mqtts://host/a", TlsFiles(key=key))

    @pytest.mark.parametrize("which", ["missing", "text", "folder", "other key", "locked key"])
    def test_files_that_are_of_no_use_are_said(
        self, which: str, authority: Authority, tmp_path: Path
    ) -> None:
        certificate, key = authority.sign("me")
        text = tmp_path / "text.pem"
        text.write_text("no certificate")
        locked = tmp_path / "locked.key"
        if which == "locked key":
            subprocess.run(
                ["openssl", "ec", "-aes256", "-in", key, "-out", locked, "-passout", "pass:x"],
                check=True,
                capture_output=True,
            )
        files = {
            "missing": TlsFiles(authority=tmp_path / "nowhere.pem"),
            "text": TlsFiles(authority=text),
            "folder": TlsFiles(authority=tmp_path),
            "other key": TlsFiles(certificate=certificate, key=authority.sign("you")[1]),
            "locked key": TlsFiles(certificate=certificate, key=locked),
        }[which]
        with pytest.raises(FerEdgeError, match=r"\.pem|\.key|/") as raised:
            parse("mqtts://host/a", files)
        assert raised.value.exit_code == 1

    def test_a_certificate_may_hold_its_key(self, authority: Authority, tmp_path: Path) -> None:
        certificate, key = authority.sign("me")
        both = tmp_path / "both.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        assert parse("mqtts://host/a", TlsFiles(certificate=both)).tls is not None
