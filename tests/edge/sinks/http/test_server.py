"""The server stays bounded with many, slow, silent and vanished viewers, and at the end of a run."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from fer_edge.sinks.http import request as request_module
from fer_edge.sinks.http import server
from tests.edge.sinks.http.serving import (
    Events,
    Served,
    format_request,
    parse,
    read_all,
    read_image,
    thread_names,
)
from tests.edge.support import make_view, noise, wait_until


def viewers(served: Served) -> int:
    (line,) = [
        line for line in served.get("/metrics").body.decode().splitlines() if "fer_edge_viewers " in line
    ][-1:]
    return int(line.split()[-1])


class TestMany:
    def test_streams_are_bounded_and_monitoring_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server, "_MAX_STREAMS", 3)
        with Served() as served, ExitStack() as stack:
            served.feed()
            open_ones = [stack.enter_context(served.watch("/stream")) for _ in range(3)]
            for connection in open_ones:
                read_image(connection)
            answer = served.get("/stream")
            assert answer.status == 503
            assert answer.body == b"Too many viewers; close other pages and try again.\n"
            assert answer.headers["retry-after"]
            assert served.get("/events").status == 503
            assert served.get("/healthz").status == 200
            open_ones[0].close()
            wait_until(lambda: viewers(served) == 2)
            with served.watch("/stream") as connection:
                read_image(connection)

    def test_five_hundred_at_once_neither_break_it_nor_hold_up_the_run(self) -> None:
        with Served() as served, ExitStack() as stack:
            served.feed()
            connections = []
            for _ in range(500):
                connection = stack.enter_context(served.connect())
                connection.sendall(format_request(served.port, "/stream"))
                connections.append(connection)
            answers = [connection.recv(20) for connection in connections]
            assert sum(answer.startswith(b"HTTP/1.1 200") for answer in answers) <= 32
            assert all(
                answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")) or not answer for answer in answers
            )
            assert sum(answer.startswith(b"HTTP/1.1 503") for answer in answers) > 300
            before = served.status.frames
            wait_until(lambda: served.status.frames > before + 5)
            assert len(thread_names()) <= 49
            stack.close()
            wait_until(lambda: served.get("/healthz").status == 200)

    def test_silent_connections_make_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server, "_MAX_CONNECTIONS", 3)
        with Served() as served, ExitStack() as stack:
            served.write()
            silent = [stack.enter_context(served.connect()) for _ in range(3)]
            assert served.get("/healthz").status == 503
            monkeypatch.setattr(server, "_SILENT_S", 0.0)
            assert served.get("/healthz").status == 200
            assert read_all(silent[0]) == b""
            assert served.send(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(
                b"HTTP/1.1 404"
            )

    def test_twenty_reloads_leave_nothing_behind(self) -> None:
        with Served() as served:
            served.feed()
            for _ in range(20):
                assert served.get("/").status == 200
                with served.watch("/stream") as images, served.watch("/events") as events:
                    read_image(images)
                    Events(events).next("frame")
            wait_until(lambda: viewers(served) == 0)
            wait_until(lambda: len(thread_names()) <= 1)

    def test_a_viewer_who_leaves_is_noticed_while_no_frame_comes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fer_edge.sinks.http.routes._LOOK_EVERY_S", 0.05)
        with Served() as served:
            with served.watch("/stream"):
                wait_until(lambda: viewers(served) == 1)
            wait_until(lambda: viewers(served) == 0)


class TestSlow:
    def test_a_viewer_who_reads_nothing_holds_nobody_up_and_is_given_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server, "_SEND_S", 1.0)
        image = noise(640, 480)
        with Served() as served, served.watch("/stream", buffer=4096), served.watch("/stream") as other:
            reading = threading.Thread(target=read_all, args=(other,))
            reading.start()
            wait_until(lambda: viewers(served) == 2)
            served.feed(0.03, lambda number: make_view(number, image=image))
            wait_until(lambda: viewers(served) == 1)
            wait_until(lambda: len(thread_names()) <= 2)  # the server's thread and the other viewer's
            before = served.status.frames
            wait_until(lambda: served.status.frames > before + 5)
            assert viewers(served) == 1
            served.stop_feeding()
            served.sink.close()
            reading.join(20)
            assert not reading.is_alive()

    def test_a_viewer_who_reads_slowly_gets_the_newest_image(self) -> None:
        with Served() as served, served.watch("/stream") as connection:
            wait_until(lambda: viewers(served) == 1)
            for number in range(100):
                served.write(make_view(number, image=noise(320, 240, seed=number)))
                time.sleep(0.026)
            time.sleep(0.2)
            connection.settimeout(1)
            received = 0
            try:
                while True:
                    read_image(connection)
                    received += 1
            except TimeoutError:
                pass
            assert received < 60  # no more than the buffers of the system hold

    def test_a_head_that_never_ends_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(request_module, "_MAX_SECONDS", 0.3)
        with Served() as served, served.connect() as connection:
            connection.settimeout(5)
            connection.sendall(b"GET / HTTP/1.1\r\n")
            ended = threading.Event()

            def drip() -> None:
                while not ended.wait(0.05):
                    try:
                        connection.sendall(b"X")
                    except OSError:
                        return

            dripping = threading.Thread(target=drip)
            dripping.start()
            try:
                assert connection.recv(100).startswith(b"HTTP/1.1 408")
            finally:
                ended.set()
                dripping.join()

    def test_a_connection_that_says_nothing_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(request_module, "_MAX_SECONDS", 0.1)
        with Served() as served, served.connect() as connection:
            assert read_all(connection).startswith(b"HTTP/1.1 408")
            wait_until(lambda: len(thread_names()) <= 1)

    def test_a_head_that_is_too_long_is_refused(self) -> None:
        with Served() as served:
            for raw in (b"GET /" + b"a" * 9000, format_request(served.port, "/", x="a" * 9000)):
                assert parse(served.send(raw)).status == 431

    def test_a_port_scan_is_answered_with_nothing(
        self, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        with Served() as served:
            for _ in range(5):
                served.connect().close()
            with served.connect() as connection:
                connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                )  # close with a reset
                connection.sendall(b"GET / HT")
            wait_until(lambda: len(thread_names()) <= 1)
        assert capfd.readouterr().err == ""
        assert caplog.records == []


class TestClosing:
    def test_threads_end_and_sockets_close(self) -> None:
        served = Served()
        served.feed()
        with served.watch("/stream") as images, served.watch("/events") as events, served.connect() as silent:
            read_image(images)
            Events(events).next("frame")
            served.stop_feeding()
            served.sink.close()
            assert thread_names() == []
            for connection in (images, silent):
                connection.settimeout(5)
                read_all(connection)  # reads until the connection is closed
        with pytest.raises(ConnectionRefusedError):
            served.connect()
        served.sink.close()  # closing twice is harmless

    def test_a_viewer_who_reads_nothing_does_not_hold_it_up(self) -> None:
        with Served() as served, served.watch("/stream", buffer=4096):
            wait_until(lambda: viewers(served) == 1)
            for number in range(10):
                served.write(make_view(number, image=noise(1280, 960)))
                time.sleep(0.03)
            served.sink.close()
            assert thread_names() == []

    def test_a_sink_that_is_dropped_without_a_run_lets_go_of_its_port(self) -> None:
        served = Served()
        port = served.port
        del served.sink
        wait_until(lambda: thread_names() == [])
        with socket.create_server(("127.0.0.1", port)):
            pass

    def test_frames_after_the_end_are_ignored(self) -> None:
        served = Served()
        served.sink.close()
        served.write()


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 4",
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity, chunked",
        "Connection: keep-alive\r\nContent-Length: 0",
    ],
)
def test_a_request_hidden_in_another_one_s_body_is_never_answered(headers: str) -> None:
    """A proxy and the page could disagree about where the first request ends."""
    hidden = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = f"GET /style.css HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n0\r\n\r\n{hidden}"
    with Served() as served, socket.create_connection(("127.0.0.1", served.port), 10) as connection:
        connection.sendall(request.encode())
        answers = b""
        with suppress(ConnectionResetError):  # the bytes after the first request remain unread
            while chunk := connection.recv(65536):
                answers += chunk
    assert answers.count(b"HTTP/1.1 ") <= 1
    assert b"frames" not in answers


def test_an_error_of_ours_ends_the_connection_alone_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(live: object) -> None:
        raise RuntimeError("of ours")

    monkeypatch.setattr("fer_edge.sinks.http.metrics._lines", fail)
    with Served() as served:
        served.write()
        assert served.send(format_request(served.port, "/metrics")) == b""
        assert served.get("/healthz").status == 200
    assert "a connection to the live view failed" in caplog.text
    assert "Traceback" not in capfd.readouterr().err
