"""Downloads of detector models from a loopback server, never from the internet."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.request import Request

import pytest

from fer_edge.cli.get import get_detector
from fer_edge.errors import DownloadError, OutputError, UsageError
from fer_edge.models.detector_files import (
    DETECTOR_FILES,
    DetectorFile,
    find_detector_file,
    find_detectors_folder,
    gives_finite_outputs,
)
from fer_edge.models.download import _NoDowngrade, download_detector
from fer_edge.models.find_model import find_model
from tests.edge.support import names_in

CONTENT = bytes(range(256)) * 900
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ebaf\nsize 229738\n"
PAGE = b"\n<!DOCTYPE html><html><body>Sign in to this network</body></html>"


class Publisher(BaseHTTPRequestHandler):
    """A server whose response depends on the path."""

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        if name.isdecimal():
            self.send_error(int(name))
        elif name in ("loop", "away"):
            self.send_response(302)
            self.send_header("Location", "/loop" if name == "loop" else "/model")
            self.end_headers()
        elif name == "closed":
            self.close_connection = True
        elif name == "silent":
            self.server.stop.wait(10)  # type: ignore[attr-defined]
        elif name == "slow":
            while not self.server.stop.wait(0.02):  # type: ignore[attr-defined]
                self.wfile.write(b"H")
        elif name == "headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.server.stop.wait(0.02):  # type: ignore[attr-defined]
                self.wfile.write(b"X: y\r\n")
        elif name == "noise":
            self.wfile.write(bytes(range(128, 256)) * 4 + b"\r\n\r\n")
        elif name == "endless":
            self.send_response(200)
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(CONTENT)
        else:
            self.answer(name)

    def answer(self, name: str) -> None:
        content = {"model": CONTENT, "pointer": POINTER, "page": PAGE, "empty": b""}.get(name, CONTENT[::-1])
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT if name in ("cut", "dripping") else content)))
        self.end_headers()
        if name == "cut":
            self.wfile.write(CONTENT[:1000])
        elif name == "dripping":
            while not self.server.stop.wait(0.02):  # type: ignore[attr-defined]
                self.wfile.write(b"x")
        else:
            self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None: ...


class Server(ThreadingHTTPServer):
    """Ends its pending responses when it is closed, and ignores clients that disconnect."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Publisher)
        self.stop = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None: ...


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the URL of a publisher on loopback."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.stop.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty user data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


def published(*addresses: str) -> DetectorFile:
    return DetectorFile(
        detector="yunet",
        file_name="face.onnx",
        addresses=addresses,
        licence="MIT",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )


def test_a_model_is_downloaded_whole_and_alone(address: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    done = download_detector(
        published(f"{address}/model"), tmp_path / "a/b", on_progress=lambda *counts: seen.append(counts)
    )
    assert done.path.read_bytes() == CONTENT
    assert names_in(tmp_path / "a/b") == ["face.onnx"]
    assert (done.downloaded, done.replaced, done.size) == (True, None, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_one_that_is_there_is_not_downloaded_again(address: str, tmp_path: Path) -> None:
    download_detector(published(f"{address}/model"), tmp_path)
    again = download_detector(published(f"{address}/404"), tmp_path)
    assert not again.downloaded
    assert again.sha256 == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("content", [b"", POINTER, CONTENT[:-1], CONTENT[::-1]])
def test_a_wrong_one_that_is_there_is_replaced(content: bytes, address: str, tmp_path: Path) -> None:
    (tmp_path / "face.onnx").write_bytes(content)
    done = download_detector(published(f"{address}/model"), tmp_path)
    assert done.replaced
    assert done.path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("404", "does not exist on the server"),
        ("403", "access is forbidden"),
        ("429", "too many requests .429., try again later"),
        ("500", "the server failed .500., try again later"),
        ("418", "the server returned status 418"),
        ("loop", "too many redirects"),
        ("closed", "the server closed the connection"),
        ("cut", "stopped after 1,000 of 230,400 bytes"),
        ("pointer", "not the model: it is a Git LFS pointer"),
        ("page", "not the model: it is a web page"),
        ("empty", "not the model: it is an empty file"),
        ("noise", "127.0.0.1: the response is not HTTP"),
        ("other", "not the model: its sha256 is"),
        ("endless", "not the model: its size is"),
    ],
)
def test_what_goes_wrong_is_said_with_how_to_get_it_by_hand(
    path: str, reason: str, address: str, tmp_path: Path
) -> None:
    file = published(f"{address}/{path}")
    with pytest.raises(DownloadError, match=reason) as caught:
        download_detector(file, tmp_path / "new")
    message = str(caught.value)
    assert f"download {address}/{path} elsewhere and save it as {tmp_path / 'new/face.onnx'}" in message
    assert str(file.sha256) in message
    assert "\n" not in message
    assert names_in(tmp_path / "new") == []


@pytest.mark.parametrize("path", ["silent", "dripping", "slow", "headers"])
def test_a_server_that_takes_too_long_is_given_up(path: str, address: str, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(DownloadError, match="the server timed out"):
        download_detector(published(f"{address}/{path}"), tmp_path, silence_s=0.3, most_s=0.3)
    assert time.monotonic() - started < 8


def test_the_next_address_is_tried(address: str, tmp_path: Path) -> None:
    file = published(f"{address}/404", f"{address}/page", f"{address}/away")
    assert download_detector(file, tmp_path).path.read_bytes() == CONTENT


def test_the_reasons_of_all_addresses_are_said(address: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"on the server \(404\); 127.0.0.1: the server failed"):
        download_detector(published(f"{address}/404", f"{address}/500"), tmp_path)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("http://nowhere.invalid/model", "cannot resolve the host name|timed out"),
        ("http://127.0.0.1:1/model", "refused"),
    ],
)
def test_an_address_that_leads_nowhere_is_said(bad: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=reason):
        download_detector(replace(published("http://127.0.0.1:1/"), addresses=(bad,)), tmp_path, silence_s=5)


def test_an_encrypted_address_that_leads_to_an_open_one_is_not_followed() -> None:
    request = Request("https://publisher.invalid/model")
    with pytest.raises(ValueError, match="is not encrypted"):
        _NoDowngrade().redirect_request(request, BytesIO(), 302, "", {}, "http://elsewhere.invalid/model")


def test_the_environment_s_proxy_is_used(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", address)
    monkeypatch.setenv("no_proxy", "")
    assert download_detector(published("http://publisher.invalid/model"), tmp_path).downloaded


@pytest.mark.parametrize("sent", [b"H", b"HTTP/1.1 200 OK\r\nX: y\r\n", b"X: y\r\n"])
def test_a_proxy_that_never_answers_is_given_up(
    sent: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.recv(1000)
            connection.sendall(sent)
            while not ended.wait(0.02):
                connection.sendall(sent[-6:])

    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(DownloadError, match=r"the server timed out|not HTTP"):
            download_detector(published("https://publisher.invalid/model"), tmp_path, most_s=0.5)
        ended.set()
        thread.join()


def test_a_proxy_that_is_no_address_is_said(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://[broken")
    with pytest.raises(DownloadError, match="cannot download"):
        download_detector(published("http://publisher.invalid/model"), tmp_path)


def test_a_full_disk_leaves_nothing(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"face\.onnx: cannot write: No space left"):
        download_detector(published(f"{address}/model"), tmp_path)
    assert names_in(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_downloaded(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        download_detector(published("http://127.0.0.1:1/model"), tmp_path / "file")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root can read every file")
def test_a_read_only_folder_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission denied"):
        download_detector(published("http://127.0.0.1:1/model"), tmp_path / "new")


def test_a_model_without_a_hash_is_known_by_its_input(address: str, tmp_path: Path) -> None:
    file = replace(published(f"{address}/model"), sha256=None, size=None, input_shape=(1, 48, 48, 1))
    with pytest.raises(DownloadError, match="it is not a TFLite model"):
        download_detector(file, tmp_path)
    network = find_model().path.read_bytes()
    assert file.find_fault(network) is None
    assert "with other inputs" in (replace(file, input_shape=(1, 128, 128, 3)).find_fault(network) or "")
    assert "damaged" in (file.find_fault(network[:500]) or "")


class TestCommand:
    def test_it_says_where_the_model_is_and_what_it_is(
        self, address: str, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for how in ("downloaded", "already downloaded"):
            get_detector("yunet", {"yunet": published(f"{address}/model")})
            lines = capsys.readouterr().out.splitlines()
            assert lines[0] == f"yunet: {how}: {home / 'fer-edge/detectors/face.onnx'}"
            assert "230,400 bytes, sha256" in lines[1]
            assert "license MIT" in lines[1]
            assert lines[-1] == "To use it: fer-edge camera --detector yunet"

    def test_without_a_known_hash_it_says_so_and_tells_of_telemetry(
        self, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = replace(DETECTOR_FILES["mediapipe"], addresses=(), input_shape=(1, 48, 48, 1))
        path = find_detectors_folder() / file.file_name
        path.parent.mkdir(parents=True)
        path.write_bytes(find_model().path.read_bytes())
        get_detector("mediapipe", {"mediapipe": file})
        printed = capsys.readouterr().out
        assert find_model().sha256 in printed
        assert "does not state a hash" in printed
        assert "sends metrics" in printed

    def test_an_unknown_name_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(UsageError, match=r"unknown detector 'haar'; choose one of: yunet, mediapipe"):
            get_detector("haar")


class TestFolder:
    def test_it_is_the_user_s(self, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        assert find_detectors_folder() == home / "fer-edge/detectors"
        monkeypatch.setenv("XDG_DATA_HOME", "relative")
        monkeypatch.setattr(Path, "home", lambda: tmp_path)
        for platform, folder in (
            ("linux", ".local/share"),
            ("darwin", "Library/Application Support"),
            ("win32", "AppData/Local"),
        ):
            monkeypatch.setattr("sys.platform", platform)
            monkeypatch.delenv("LOCALAPPDATA", raising=False)
            assert find_detectors_folder() == tmp_path / folder / "fer-edge/detectors"

    def test_a_download_that_was_damaged_since_is_refused_with_the_remedy(self, home: Path) -> None:
        path = find_detectors_folder() / DETECTOR_FILES["yunet"].file_name
        path.parent.mkdir(parents=True)
        path.write_bytes(POINTER)
        with pytest.raises(Exception, match=r"it is a Git LFS pointer.*; run: fer-edge get yunet"):
            find_detector_file("yunet")


def test_the_publishers_are_reached_encrypted_and_their_files_known() -> None:
    assert all(
        address.startswith("https://") for file in DETECTOR_FILES.values() for address in file.addresses
    )
    assert DETECTOR_FILES["yunet"].sha256 is not None
    assert DETECTOR_FILES["mediapipe"].notice


def test_a_model_that_works_gives_finite_outputs_and_what_does_not_run_is_unknown() -> None:
    assert gives_finite_outputs(find_model().path.read_bytes())
    assert gives_finite_outputs(b"not a model")
