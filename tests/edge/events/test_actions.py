"""Actions: programs, webhooks and lines, and their failures, hangs and floods."""

from __future__ import annotations

import http.server
import json
import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fer_edge.errors import UsageError
from fer_edge.events import base
from fer_edge.events.base import Action, BackgroundAction
from fer_edge.events.command import CommandAction
from fer_edge.events.dispatch import EventDispatcher
from fer_edge.events.engine import Event
from fer_edge.events.registry import create_action
from fer_edge.events.rules import parse_rule
from fer_edge.events.webhook import WebhookAction
from fer_edge.runtime.shutdown import Terminated, install_signal_handlers
from tests.edge.support import LABELS, make_result, wait_until

RULE = parse_rule("happy > 0.7", LABELS)


def event(number: int = 1) -> Event:
    return Event(RULE, number, 0, make_result(number, time_s=number / 10))


def perform(action: Action, count: int = 1) -> None:
    for number in range(1, count + 1):
        action.perform(event(number))
    action.close()


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextmanager
def dripping_server(told: bytes) -> Iterator[str]:
    """Run a server that sends this response, then one byte at a time, slowly; yield its URL."""
    ending = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(told)
            while not ending.wait(0.03):
                connection.sendall(b"H")

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        ending.set()
        listener.shutdown(socket.SHUT_RDWR)


class TestCommands:
    def test_the_event_is_on_its_standard_input(self, tmp_path: Path) -> None:
        out = tmp_path / "event.json"
        perform(create_action(f"exec:{shlex.join(['tee', str(out)])}"))
        record = json.loads(out.read_text())
        assert (record["rule"], record["number"], record["face"]) == ("happy > 0.7", 1, 0)
        assert record["faces"][0]["emotion"] == "happy"

    def test_the_event_is_not_interpreted_by_a_shell(self, tmp_path: Path) -> None:
        out = tmp_path / "$(touch hacked); *"
        perform(create_action(f"exec:{shlex.join(['tee', str(out)])}"))
        assert [path.name for path in tmp_path.iterdir()] == [out.name]

    @pytest.mark.parametrize(
        ("program", "said"),
        [
            ("import sys; sys.exit(3)", "failed with status 3"),
            ("import sys; print('first\\nno broker', file=sys.stderr); sys.exit(1)", "status 1: no broker"),
            ("import os; os.abort()", "failed with status -6"),
            ("import sys; sys.stderr.write('x' * 5_000_000); sys.exit(1)", "status 1: xxx"),
            ("import sys; sys.stderr.write('\\0' * 5_000_000); sys.exit(1)", "failed with status 1"),
        ],
    )
    def test_a_failure_is_said_once_for_each_event(
        self, program: str, said: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        perform(CommandAction(python(program)), 2)
        assert [said in message for message in caplog.messages] == [True, True]
        assert all(len(message) < 500 for message in caplog.messages)

    def test_its_output_is_discarded(self, capfd: pytest.CaptureFixture[str]) -> None:
        perform(CommandAction(python("import sys; print('x' * 5_000_000); sys.stdin.close()")))
        assert capfd.readouterr().out == ""

    def test_a_program_that_reads_nothing_does_not_block(self, caplog: pytest.LogCaptureFixture) -> None:
        perform(CommandAction(["true"]), 3)
        assert caplog.messages == []

    def test_after_its_timeout_it_is_killed_with_its_children(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        pids = tmp_path / "pids"
        program = (
            "import os, subprocess, time\n"
            "child = subprocess.Popen(['sleep', '60'])\n"
            f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
            "time.sleep(60)\n"
        )
        started = time.monotonic()
        perform(CommandAction(python(program), limit_s=1.0))
        assert time.monotonic() - started < 20
        assert "killed after running for 1 s" in caplog.text
        wait_until(lambda: not any(is_running(int(pid)) for pid in pids.read_text().split()))

    def test_one_that_leaves_a_child_behind_is_done(self) -> None:
        started = time.monotonic()
        perform(CommandAction(["sh", "-c", "sleep 30 & exit 0"]))
        assert time.monotonic() - started < 15

    def test_four_at_a_time(self, tmp_path: Path) -> None:
        program = (
            "import os, time\n"
            f"folder = {str(tmp_path)!r}\n"
            "mine = os.path.join(folder, str(os.getpid()))\n"
            "open(mine, 'w').close()\n"
            "time.sleep(0.3)\n"
            "print(len([n for n in os.listdir(folder) if n.isdecimal()]), file=open(mine + '.seen', 'w'))\n"
            "os.remove(mine)\n"
        )
        perform(CommandAction(python(program)), 10)
        seen = [int(path.read_text()) for path in tmp_path.glob("*.seen")]
        assert len(seen) == 10
        assert 1 < max(seen) <= 4

    @pytest.mark.parametrize(
        "target", ["exec:", "exec:   ", "exec:no-such-program", "exec:'open", "exec:/etc"]
    )
    def test_what_cannot_be_run_is_refused_at_once(self, target: str) -> None:
        with pytest.raises(UsageError):
            create_action(target)

    def test_a_program_that_vanishes_is_a_warning(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        program = tmp_path / "hook"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        action = create_action(f"exec:{program}")
        program.unlink()
        perform(action)
        assert "cannot start: " in caplog.text


class Receiver(http.server.ThreadingHTTPServer):
    """A webhook receiver with configurable responses that records its requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ReceiverHandler)
        self.statuses: list[int] = []
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.delay_s = 0.0
        self.url = f"http://127.0.0.1:{self.server_port}"


class ReceiverHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = self.server
        assert isinstance(receiver, Receiver)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        receiver.requests.append((self.path, dict(self.headers), body))
        time.sleep(receiver.delay_s)
        self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
        self.send_header("Location", f"{receiver.url}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class TestWebhooks:
    def test_the_event_is_posted(self, receiver: Receiver) -> None:
        perform(create_action(f"{receiver.url}/smile?x=1"), 2)
        assert [path for path, *_ in receiver.requests] == ["/smile?x=1"] * 2
        _, headers, body = receiver.requests[0]
        assert headers["Content-Type"] == "application/json"
        assert body["rule"] == "happy > 0.7"
        assert [body["number"] for *_, body in receiver.requests] == [1, 2]

    def test_an_event_is_retried_until_it_is_accepted(
        self, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        receiver.statuses = [500, 503, 429, 200]
        perform(WebhookAction(receiver.url, first_pause_s=0.01))
        assert len(receiver.requests) == 4
        assert len({headers["Idempotency-Key"] for _, headers, _ in receiver.requests}) == 1
        assert caplog.messages == [f"{receiver.url}: request failed, retrying: status 500"]

    def test_each_event_has_a_key_of_its_own(self, receiver: Receiver) -> None:
        perform(WebhookAction(receiver.url), 3)
        assert len({headers["Idempotency-Key"] for _, headers, _ in receiver.requests}) == 3

    @pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404])
    def test_a_refusal_or_redirect_is_final(
        self, status: int, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        receiver.statuses = [status]
        perform(WebhookAction(receiver.url, first_pause_s=0.01))
        assert [path for path, *_ in receiver.requests] == ["/" if receiver.requests[0][0] == "/" else ""]
        assert f"refused the event: status {status}" in caplog.text

    def test_permanent_500_is_given_up(self, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
        receiver.statuses = [500] * 100
        perform(WebhookAction(receiver.url, first_pause_s=0.001), 2)
        assert len(receiver.requests) == 16
        assert caplog.text.count("gave up an event after 8 attempts") == 2

    def test_nobody_there_and_no_answer(self, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
        receiver.delay_s = 0.5
        perform(WebhookAction(receiver.url, first_pause_s=0.001, timeout_s=0.05))
        # On a busy machine the whole attempt is over before its silence is.
        assert "timed out" in caplog.text or "no complete answer" in caplog.text
        caplog.clear()
        perform(WebhookAction("http://127.0.0.1:9/", first_pause_s=0.001))
        assert "Connection refused" in caplog.text

    @pytest.mark.parametrize("told", [b"", b"HTTP/1.0 "])
    def test_an_answer_that_drips_is_given_up(self, told: bytes, caplog: pytest.LogCaptureFixture) -> None:
        with dripping_server(told) as url:
            perform(WebhookAction(url, first_pause_s=0.001, timeout_s=0.1))
        assert "no complete answer within 0.3 s" in caplog.text
        assert "gave up an event after 8 attempts" in caplog.text

    def test_closing_aborts_a_slow_response(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(base, "_CLOSE_TIMEOUT_S", 0.2)
        threads = threading.active_count()
        with dripping_server(b"HTTP/1.0 ") as url:
            perform(WebhookAction(url, first_pause_s=0.001))
            wait_until(lambda: threading.active_count() <= threads + 2)  # the server's own threads

    def test_nonsense_is_not_shown_at_length(self, caplog: pytest.LogCaptureFixture) -> None:
        with dripping_server(b"x" * 60_000 + b"\n") as url:
            perform(WebhookAction(url, first_pause_s=0.001, timeout_s=0.5))
        assert "xxx" in caplog.text
        assert all(len(message) < 400 for message in caplog.messages)

    def test_an_answer_whose_text_never_ends_was_taken(self, caplog: pytest.LogCaptureFixture) -> None:
        with dripping_server(b"HTTP/1.0 200 OK\r\n\r\nx") as url:
            perform(WebhookAction(url, first_pause_s=0.001, timeout_s=0.5))
        assert caplog.messages == []

    def test_a_password_is_sent_and_not_shown(
        self, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        receiver.statuses = [403]
        perform(create_action(receiver.url.replace("//", "//me:s%40cret@") + "/hook"))
        assert receiver.requests[0][1]["Authorization"] == "Basic bWU6c0BjcmV0"
        assert "@" not in receiver.requests[0][1]["Host"]
        assert "cret" not in caplog.text

    @pytest.mark.parametrize(
        "target",
        ["http://", "https:///x", "http://a:b:c/", "http://h/a b", "http://hö/", "http://h:99999/", "http:x"],
    )
    def test_what_is_no_url_is_refused_at_once(self, target: str) -> None:
        with pytest.raises(UsageError, match="not a valid URL"):
            create_action(target)


class SlowAction(BackgroundAction):
    """An action that works on events until it is released."""

    def __init__(self) -> None:
        super().__init__("slow")
        self.go = threading.Event()
        self.done: list[int] = []

    def handle_event(self, event: Event) -> None:
        self.go.wait(10)
        self.done.append(event.number)


class TestQueues:
    def test_too_many_drop_the_oldest_and_are_counted(self, caplog: pytest.LogCaptureFixture) -> None:
        action = SlowAction()
        started = time.monotonic()
        for number in range(1, 111):
            action.perform(event(number))
        assert time.monotonic() - started < 5
        action.go.set()
        action.close()
        assert action.done[-100:] == list(range(11, 111))
        dropped = 110 - len(action.done)
        assert 9 <= dropped <= 10
        assert caplog.messages == ["slow: cannot keep up with the events; dropping the oldest"] * dropped

    def test_the_end_does_not_wait_for_ever(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(base, "_CLOSE_TIMEOUT_S", 0.2)
        monkeypatch.setattr(base, "_INTERRUPTED_CLOSE_TIMEOUT_S", 0.1)
        action = SlowAction()
        started = time.monotonic()
        perform(action, 5)
        assert time.monotonic() - started < 5
        assert "5 pending events dropped" in caplog.text
        action.go.set()

    def test_one_that_fails_in_an_unforeseen_way_goes_on_with_the_next(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Brittle(SlowAction):
            def handle_event(self, event: Event) -> None:
                if event.number == 1:
                    raise RuntimeError("can't start new thread")
                self.done.append(event.number)

        action = Brittle()
        perform(action, 3)
        assert action.done == [2, 3]
        warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert warned == ["slow: failed: can't start new thread"]

    def test_where_the_system_gives_no_thread_the_run_goes_on_and_the_event_waits(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        action = SlowAction()
        action.go.set()
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            action.perform(event(1))
        perform(action)
        assert len(action.done) == 2
        assert caplog.messages == ["slow: cannot start another thread; events are waiting"]

    def test_threads_end_with_it(self) -> None:
        before = threading.active_count()
        for _ in range(5):
            perform(CommandAction(["true"]), 6)
        deadline = time.monotonic() + 10
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert threading.active_count() <= before


class Recorder:
    def __init__(self, error: Exception | None = None) -> None:
        self.events: list[Event] = []
        self.closed = False
        self._error = error

    def perform(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True
        if self._error is not None:
            raise self._error


class TestDispatch:
    def test_a_rule_may_start_several_actions_and_is_counted_once(self) -> None:
        first, second, heard = Recorder(), Recorder(), Recorder()
        dispatcher = EventDispatcher([(RULE, first), (RULE, second)])
        dispatcher.listen(heard.perform)
        dispatcher.handle_result(make_result(0, time_s=0.0))
        assert len(first.events) == len(second.events) == len(heard.events) == 1
        assert dispatcher.counts == {RULE.text: 1}

    def test_actions_are_closed_in_parallel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(base, "_CLOSE_TIMEOUT_S", 1.0)
        actions = [SlowAction() for _ in range(30)]
        dispatcher = EventDispatcher([(RULE, action) for action in actions])
        dispatcher.handle_result(make_result(0, time_s=0.0))
        started = time.monotonic()
        dispatcher.close()
        assert time.monotonic() - started < 15
        for action in actions:
            action.go.set()

    def test_all_are_closed_also_where_one_fails(self) -> None:
        actions = [Recorder(), Recorder(RuntimeError("x")), Recorder()]
        dispatcher = EventDispatcher([(RULE, action) for action in actions])
        with pytest.raises(RuntimeError):
            dispatcher.close()
        assert all(action.closed for action in actions)

    def test_a_signal_while_they_are_closed_shortens_the_wait_and_leaves_nothing_running(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(base, "_INTERRUPTED_CLOSE_TIMEOUT_S", 0.2)
        install_signal_handlers()
        command, slow = CommandAction(["sleep", "61.5"]), SlowAction()
        dispatcher = EventDispatcher([(RULE, command), (RULE, slow)])
        dispatcher.handle_result(make_result(0, time_s=0.0))
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        started = time.monotonic()
        with pytest.raises(Terminated):
            dispatcher.close()
        assert time.monotonic() - started < 20
        assert "sleep 61.5: killed at the end of the run" in caplog.text
        assert "slow: 1 pending event dropped at the end of the run" in caplog.text
        slow.go.set()


def test_unknown_actions_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown action 'mail'.*exec, http, https, mqtt, print"):
        create_action("mail:me")
    with pytest.raises(UsageError, match="takes no target"):
        create_action("print:x")


def test_printed_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    perform(create_action("Print"), 2)
    assert capsys.readouterr().out == "0.10 s: happy > 0.7 (face 0)\n0.20 s: happy > 0.7 (face 0)\n"


def test_a_line_that_cannot_be_printed_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        perform(create_action("Print"), 2)
        assert caplog.messages == ["print: cannot write to standard output: No space left on device"] * 2
        monkeypatch.undo()
        with suppress(OSError):
            full.close()
