"""Supported addresses, and messages for unsupported ones."""

from __future__ import annotations

import re
import socket

import pytest

from fer_edge.errors import OutputError, UsageError
from fer_edge.sinks.http.address import ServeAddress, listen, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8080", "127.0.0.1", 8080),
        ("0", "127.0.0.1", 0),
        ("0.0.0.0:8080", "0.0.0.0", 8080),
        ("[::]:8080", "::", 8080),
        ("[::1]:65535", "::1", 65535),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80),
        ("raspberrypi.local:8080", "raspberrypi.local", 8080),
    ],
)
def test_an_address_is_a_port_with_or_without_a_host(text: str, host: str, port: int) -> None:
    assert parse_address(text) == ServeAddress(host, port)


@pytest.mark.parametrize(
    "text",
    ["", " ", "abc", ":8080", "8080:", "::1:8080", "http://localhost:8080", "-1", "8080 ", "+80", "8_0", "٨٠",
     "a b:80", "[]:80", "[::1]", "host:80:90", "host/:80", "1e3", "0x50", "\n", "8080\n"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^expected a port or HOST:PORT to serve on, such as 8080"):
        parse_address(text)


@pytest.mark.parametrize("text", ["65536", "99999999999999999999", "host:70000"])
def test_a_port_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a port from 0 to 65535 to serve on, got"):
        parse_address(text)


def test_what_stands_in_brackets_is_an_ipv6_address() -> None:
    with pytest.raises(UsageError, match=r"expected an IPv6 address between the brackets, got 'host'"):
        parse_address("[host]:80")


def test_a_port_in_use_is_an_error_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OutputError, match=rf"127\.0\.0\.1:{port}: the port is already in use; choose another"
        ):
            listen(ServeAddress("127.0.0.1", port))


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 300, "-", "..", "a..b"])
def test_a_host_that_is_not_known(host: str) -> None:
    with pytest.raises(OutputError, match=r"unknown host; use a name of this machine"):
        listen(ServeAddress(host, 0))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(OutputError, match=r"not an address of this machine"):
        listen(ServeAddress("192.0.2.77", 0))


def test_a_port_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, where: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(
        OutputError, match=r"127\.0\.0\.1:80: the port is reserved for the system; choose 1024 or above"
    ):
        listen(ServeAddress("127.0.0.1", 80))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", r"http://127\.0\.0\.1:\d+/"),
        ("localhost", r"http://(127\.0\.0\.1|\[::1\]):\d+/"),
        ("0.0.0.0", r"http://(?!0\.0\.0\.0)[\w.-]+:\d+/"),
    ],
)
def test_the_url_is_one_that_a_browser_opens(host: str, url: str) -> None:
    listener = listen(ServeAddress(host, 0))
    with listener.socket:
        assert re.fullmatch(url, listener.url)
        assert listener.port > 0
        assert listener.is_loopback is (host != "0.0.0.0")


def test_all_addresses_of_ipv6_are_those_of_ipv4_too() -> None:
    try:
        listener = listen(ServeAddress("::", 0))
    except OutputError:
        pytest.skip("this machine has no IPv6")
    with listener.socket:
        assert not listener.is_loopback
        socket.create_connection(("127.0.0.1", listener.port), 5).close()
