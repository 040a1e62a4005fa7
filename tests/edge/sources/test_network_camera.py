"""HTTP cameras: every kind of stream, and a reason for everything that is not a stream."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import SourceError, SourceLostError, UsageError, describe_error
from fer_edge.sources import network_camera, network_stream
from fer_edge.types import Frame, Image
from tests.edge.sources.cameras import (
    Answer,
    CameraServer,
    Client,
    Watcher,
    camera,
    encode_ts,
    jpegs,
    mjpeg,
    part,
    transport_stream,
)
from tests.edge.sources.clips import number_in, write_clip
from tests.edge.support import encode, noise, plain, take_frames, wait_until

JPEGS = jpegs()


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], CameraServer]]:
    """Start a loopback server that handles each connection this way."""
    servers: list[CameraServer] = []

    def start(answer: Answer) -> CameraServer:
        servers.append(CameraServer(answer))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


Serve = Callable[[Answer], CameraServer]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the timeout for silent cameras to one second."""
    monkeypatch.setattr(network_stream, "SILENCE_S", 0.7)
    monkeypatch.setattr(network_camera, "OPEN_TIMEOUT_S", 2.0)


def first_frames(url: str, count: int = 5) -> list[Frame]:
    with camera(url) as source:
        frames = [item for item, _ in zip(source, range(count), strict=False) if isinstance(item, Frame)]
        for frame in frames:
            assert frame.gray.shape == (192, 256)
    return frames


def steps(frames: list[Frame]) -> list[int]:
    """Return each frame's shown number minus its index, relative to the first; 0 if the index counts drops."""
    first = number_in(frames[0].gray)
    return [(number_in(frame.gray) - first - frame.index) % 32 for frame in frames]


def refusal(url: str) -> str:
    frames, error = take_frames(camera(url))
    assert frames == []
    assert type(error) is SourceError
    return describe_error(error)


class TestFrames:
    def test_they_come_in_order_with_both_clocks(self, serve: Serve) -> None:
        url = serve(mjpeg(JPEGS, rate=50)).url
        before = datetime.now().astimezone()
        with camera(url) as source:
            assert (source.info.name, source.info.live, source.info.size) == (url, True, (256, 192))
            frames = [frame for frame, _ in zip(source, range(20), strict=False) if isinstance(frame, Frame)]
        times = [frame.time_s for frame in frames if frame.time_s is not None]
        assert times[0] == 0
        assert all(a < b for a, b in pairwise(times))
        clocks = [frame.clock for frame in frames if frame.clock is not None]
        assert before <= clocks[0] <= clocks[-1] <= datetime.now().astimezone()
        assert len(clocks) == 20
        assert clocks[0].tzinfo is not None
        assert steps(frames) == [0] * 20

    def test_gray_is_the_decoder_s_luma_and_colors_are_the_image_s(self, serve: Serve) -> None:
        image = np.zeros((48, 64, 3), np.uint8)
        image[..., 2] = np.linspace(0, 250, 64, dtype=np.uint8)
        (frame, *_) = [
            frame
            for frame, _ in zip(self._opened(serve, image), range(2), strict=False)
            if isinstance(frame, Frame)
        ]
        assert np.abs(frame.image.astype(int) - image).mean() < 6
        assert np.abs(frame.gray.astype(int) - image[..., 2] * 0.299).mean() < 3

    def _opened(self, serve: Serve, image: Image) -> Iterator[object]:
        with camera(serve(mjpeg([encode(".jpg", image)])).url) as source:
            yield from source

    @pytest.mark.parametrize(
        ("kind", "boundary", "length"),
        [
            ("multipart/x-mixed-replace; boundary=frame", b"--frame", True),
            ("multipart/x-mixed-replace; boundary=frame", b"--frame", False),
            ("multipart/x-mixed-replace;boundary=--frame", b"--frame", True),
            ("multipart/x-mixed-replace;boundary=--frame", b"----frame", False),
            ('multipart/x-mixed-replace; boundary="a b:c"', b"--a b:c", True),
            ("multipart/x-mixed-replace", b"frame", False),
            ("Multipart/X-Mixed-Replace; Boundary=frame", b"\r\n\r\n--frame", True),
            ("image/jpeg", b"--frame", True),
            ("text/html", b"--frame", True),
            ("application/octet-stream", b"--frame", False),
            ("", b"--frame", True),
        ],
    )
    def test_mjpeg_of_any_boundary_and_content_type(
        self, serve: Serve, kind: str, boundary: bytes, *, length: bool
    ) -> None:
        def answer(client: Client) -> None:
            client.head(kind)
            for number in range(200):
                client.send(part(JPEGS[number % 32], boundary=boundary, length=length))
                client.wait(0.02)

        assert len(first_frames(serve(answer).url)) == 5

    def test_garbage_between_parts_and_wrong_lengths(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            client.head("multipart/x-mixed-replace; boundary=frame")
            for number in range(200):
                jpeg = JPEGS[number % 32]
                head = b"--frame\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nX: \xff\xd8\r\n\r\n"
                broken = [jpeg[: len(jpeg) // 3], jpeg[200:], noise(20, 20).tobytes()][number % 3]
                client.send(head + jpeg + head + broken)
                client.wait(0.02)

        frames = first_frames(serve(answer).url, 8)
        assert len(frames) == 8

    def test_jpegs_without_anything_between(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            client.head("application/octet-stream")
            for number in range(200):
                client.send(JPEGS[number % 32])
                client.wait(0.02)

        assert len(first_frames(serve(answer).url)) == 5

    def test_an_image_comes_before_the_next_one_does(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            client.head("multipart/x-mixed-replace; boundary=frame")
            client.send(part(JPEGS[3], length=False).removesuffix(b"\r\n"))
            client.wait(30)

        with camera(serve(answer).url) as source:
            frame = next(iter(source))
        assert isinstance(frame, Frame)
        assert number_in(frame.gray) == 3

    def test_a_body_in_http_chunks(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            client.head("multipart/x-mixed-replace; boundary=frame", more="Transfer-Encoding: chunked")
            for number in range(200):
                data = part(JPEGS[number % 32])
                for piece in (data[:1000], data[1000:]):
                    client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                client.wait(0.02)

        assert len(first_frames(serve(answer).url)) == 5

    @pytest.mark.parametrize(
        "image", [noise(64, 48)[..., 0], noise(65, 49), noise(16, 16)], ids=["gray", "odd", "small"]
    )
    def test_images_of_any_kind(self, serve: Serve, image: Image) -> None:
        with camera(serve(mjpeg([encode(".jpg", image)])).url) as source:
            frame = next(iter(source))
        assert isinstance(frame, Frame)
        assert frame.image.shape == (*image.shape[:2], 3)
        assert frame.gray.shape == image.shape[:2]

    def test_a_redirection(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            if client.path == "/stream":
                client.head(status="302 Found", length=0, more="Location: /live")
            else:
                mjpeg(JPEGS)(client)

        assert len(first_frames(serve(answer).url, 2)) == 2

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirection_to_another_port_of_the_host(self, serve: Serve, status: int) -> None:
        target = serve(mjpeg(JPEGS)).url
        redirecting = serve(lambda c: c.head(status=f"{status} Moved", length=0, more=f"Location: {target}"))
        assert len(first_frames(redirecting.url, 2)) == 2

    def test_a_redirection_with_an_endless_body(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            if client.path == "/stream":
                client.head(status="302 Found", more="Location: /live")
                while client.wait(0):
                    client.send(bytes(1 << 16))
            else:
                mjpeg(JPEGS)(client)

        assert len(first_frames(serve(answer).url, 2)) == 2

    def test_h264_in_a_transport_stream(self, serve: Serve) -> None:
        url = serve(transport_stream(encode_ts(), rate=50)).url
        with camera(url) as source:
            assert source.info.size == (256, 192)
            frames = [item for item, _ in zip(source, range(10), strict=False) if isinstance(item, Frame)]
        assert steps(frames) == [0] * 10

    def test_a_stream_that_is_joined_in_the_middle_begins_at_a_key_frame(self, serve: Serve) -> None:
        url = serve(transport_stream(encode_ts(gop=25), rate=100, first=8)).url
        with camera(url) as source:
            frame = next(iter(source))
        assert isinstance(frame, Frame)
        assert number_in(frame.gray) == 25  # the next key frame, without gray frames before it


class TestDamage:
    @pytest.mark.parametrize("damage", ["truncated", "no image", "not decodable"])
    def test_damaged_images_leave_a_gap_and_are_reported(
        self, serve: Serve, damage: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        def answer(client: Client) -> None:
            client.head("multipart/x-mixed-replace; boundary=frame")
            number = 0
            while client.wait(0.02):
                jpeg = JPEGS[number % 32]
                if number % 3 == 2:
                    jpeg = {
                        "truncated": jpeg[: len(jpeg) // 2],
                        "no image": noise(40, 40).tobytes(),
                        "not decodable": jpeg[:2] + jpeg[-2:],
                    }[damage]
                client.send(part(jpeg))
                number += 1

        frames = first_frames(serve(answer).url, 30)
        assert steps(frames) == [0] * 30
        assert frames[-1].index >= 43
        assert caplog.messages[0].endswith("skipped 1 damaged frame; check the camera and its connection")
        assert caplog.messages[1].endswith(
            "skipped 10 damaged frames so far; check the camera and its connection"
        )
        assert len(caplog.messages) == 2

    def test_a_damaged_packet_of_a_stream_is_counted(
        self, serve: Serve, caplog: pytest.LogCaptureFixture
    ) -> None:
        chunks = encode_ts(50, gop=50)
        packet = bytearray(chunks[20])
        slice_at = packet.rfind(b"\x00\x00\x01\x41") + 4
        packet[slice_at : slice_at + 8] = b"\xff" * 8
        url = serve(transport_stream([*chunks[:20], bytes(packet), *chunks[21:]], rate=50)).url
        frames = first_frames(url, 40)
        assert [frame.index for frame in frames] == list(range(40))  # FFmpeg conceals the damage
        assert ["skipped 1 damaged frame" in text for text in caplog.messages] == [True]


class TestNoStream:
    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (
                "401 Unauthorized",
                "the server requires a user name and password (401); add them to the address",
            ),
            ("403 Forbidden", "the server denies access to this address or user (403)"),
            ("404 Not Found", "the server has nothing at this address (404); check the path"),
            ("500 Oops", "the server responded with an error (500 Oops)"),
        ],
    )
    def test_a_status_is_named(self, serve: Serve, status: str, message: str) -> None:
        server = serve(lambda client: client.head("text/html", status=status, length=0))
        assert message in refusal(server.url)

    @pytest.mark.parametrize(
        ("kind", "body", "message"),
        [
            ("text/html; charset=utf-8", b"<!DOCTYPE html><html>Login</html>", "a web page, not a stream"),
            ("", b"\xef\xbb\xbf\n<HTML>Hello</HTML>", "a web page, not a stream"),
            ("application/json", b'{"error": "no such stream"}', "JSON, not a stream"),
            ("text/plain", b'{"a": 1}', "JSON, not a stream"),
            ("text/plain", b"hello", "text, not a stream"),
            ("image/jpeg", JPEGS[0], "one image, not a stream"),
            ("application/octet-stream", JPEGS[0], "one image, not a stream"),
            ("image/png", encode(".png", plain(9)), "one image, not a stream"),
            ("", encode(".png", plain(9)), "one image, not a stream"),
            ("text/plain", b"", "an empty response"),
        ],
    )
    @pytest.mark.parametrize("length", [False, True])
    def test_what_answers_is_named(
        self, serve: Serve, kind: str, body: bytes, message: str, *, length: bool
    ) -> None:
        def answer(client: Client) -> None:
            client.head(kind, length=len(body) if length else None)
            client.send(body)

        if message == "text, not a stream" and not length:
            message = "data in a format that FFmpeg cannot read"
        said = refusal(serve(answer).url)
        assert f"the server returned {message}" in said
        assert "use the address of the stream itself" in said

    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
    def test_a_recording_is_named(self, serve: Serve, tmp_path: Path, suffix: str) -> None:
        content = write_clip(tmp_path / f"clip{suffix}").read_bytes()

        def answer(client: Client) -> None:
            client.head("video/mp4", length=len(content))
            client.send(content)

        assert "a recording, not a live stream; to read it, use: fer-edge video" in refusal(serve(answer).url)

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize("sent", [None, b"", b"--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff"])
    def test_silence_is_named(self, serve: Serve, sent: bytes | None) -> None:
        def answer(client: Client) -> None:
            if sent is not None:
                client.head("multipart/x-mixed-replace; boundary=frame")
                client.send(sent)
            client.wait(30)

        assert re.search(r"no response|no data for 0\.7 s", refusal(serve(answer).url))

    @pytest.mark.usefixtures("impatient")
    def test_text_that_never_becomes_an_image(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            client.head("multipart/x-mixed-replace; boundary=frame")
            while client.wait(0.01):
                client.send(b"--frame\r\nContent-Type: text/plain\r\n\r\nhello\r\n")

        said = refusal(serve(answer).url)
        assert "no complete JPEG image for 0.7 s, although data arrives; check the camera" in said

    @pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp", "rtmp"])
    def test_an_address_that_nobody_answers(self, scheme: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        assert "connection refused; check the address" in refusal(f"{scheme}://127.0.0.1:{port}/")

    @pytest.mark.parametrize("scheme", ["http", "rtsp"])
    def test_a_host_that_does_not_exist(self, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        assert "unknown host name; check the address" in refusal(f"{scheme}://camera.invalid/")

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:port/", "http://[::1/", "http://", "rtsp://127.0.0.1:x/"]
    )
    def test_an_address_that_is_none(self, url: str) -> None:
        assert "; check" in refusal(url)

    @pytest.mark.parametrize("url", ["gopher2://127.0.0.1/", "foo://x", "lavfi://testsrc"])
    def test_an_unknown_scheme(self, url: str) -> None:
        assert "does not support this kind of address; use rtsp:// or http://" in refusal(url)

    def test_another_protocol_s_server(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            client.send(b"SSH-2.0-OpenSSH_9.2\r\n")

        assert "the response is not HTTP; check the port" in refusal(serve(answer).url)

    def test_size_and_rate_cannot_be_asked_for(self) -> None:
        with pytest.raises(UsageError, match="size and rate cannot be set for a network camera"):
            camera("rtsp://host/", size=(640, 480))

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (b"", "no response"),
            (
                b"RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n",
                "the server responded with an error (5xx)",
            ),
        ],
    )
    def test_an_rtsp_server_that_is_not_ready(self, serve: Serve, answer: bytes, message: str) -> None:
        def respond(client: Client) -> None:
            client.send(answer)
            client.wait(0 if answer else 30)

        assert message in refusal(serve(respond).url.replace("http", "rtsp"))

    @pytest.mark.parametrize("target", ["/stream", "file:///etc/passwd"])
    def test_a_redirection_that_leads_nowhere(self, serve: Serve, target: str) -> None:
        server = serve(lambda client: client.head(status="302 Found", length=0, more=f"Location: {target}"))
        assert "the server redirects to an address that cannot be read (302)" in refusal(server.url)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirection_to_another_host(self, serve: Serve, status: int) -> None:
        other = serve(mjpeg(JPEGS))
        target = other.url.replace("127.0.0.1", "user:secret@localhost")
        server = serve(lambda c: c.head(status=f"{status} Moved", length=0, more=f"Location: {target}"))
        said = refusal(server.url)
        shown = other.url.replace("127.0.0.1", "user:***@localhost")
        assert f"the server redirects to another host ({shown}); use that address if you trust it" in said
        assert other.requests == []

    def test_an_image_that_claims_any_size(self, serve: Serve) -> None:
        jpeg = bytearray(JPEGS[0])
        place = jpeg.index(b"\xff\xc0") + 5
        jpeg[place : place + 4] = (65_000).to_bytes(2, "big") * 2
        assert "cannot decode its images" in refusal(serve(mjpeg([bytes(jpeg)], rate=1000)).url)


class TestPasswords:
    def test_basic_is_sent_and_not_shown(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            if b"Authorization: Basic " + base64.b64encode(b"me@home:s3/cret") not in client.request:
                client.head(status="401 Unauthorized", length=0, more='WWW-Authenticate: Basic realm="cam"')
                return
            mjpeg(JPEGS)(client)

        server = serve(answer)
        url = server.url.replace("http://", "http://me%40home:s3%2Fcret@")
        frames = first_frames(url, 2)
        assert "s3" not in frames[0].source
        assert frames[0].source.startswith("http://me%40home:***@")

    @pytest.mark.parametrize("algorithm", ["MD5", "md5", "SHA-256", None])
    def test_digest(self, serve: Serve, algorithm: str | None) -> None:
        def digest(text: str) -> str:
            kind = "sha256" if algorithm == "SHA-256" else "md5"
            return hashlib.new(kind, text.encode()).hexdigest()

        def answer(client: Client) -> None:
            given = dict(re.findall(r'(\w+)="?([^",]+)"?', client.request.decode()))
            stated = f", algorithm={algorithm}" if algorithm else ""
            if "response" not in given:
                client.head(
                    status="401 Unauthorized",
                    length=0,
                    more=f'WWW-Authenticate: Digest realm="cam", nonce="n1", qop="auth"{stated}',
                )
                return
            ends = digest("me:cam:secret"), digest("GET:/stream")
            expected = digest(f"{ends[0]}:n1:{given['nc']}:{given['cnonce']}:auth:{ends[1]}")
            assert given["response"] == expected
            mjpeg(JPEGS)(client)

        assert len(first_frames(serve(answer).url.replace("//", "//me:secret@"), 2)) == 2

    @pytest.mark.parametrize("scheme", ['Digest realm="c", nonce="n", qop="auth", algorithm=ROT13', "Bearer"])
    def test_another_kind_of_password(self, serve: Serve, scheme: str) -> None:
        server = serve(
            lambda client: client.head(
                status="401 Unauthorized", length=0, more=f"WWW-Authenticate: {scheme}"
            )
        )
        said = refusal(server.url.replace("//", "//me:secret@"))
        assert "an unsupported authentication method; set the camera to Digest" in said

    def test_a_wrong_one_is_refused_at_once(self, serve: Serve) -> None:
        server = serve(
            lambda client: client.head(
                status="401 Unauthorized",
                length=0,
                more='WWW-Authenticate: Digest realm="c", nonce="n", qop="auth"',
            )
        )
        said = refusal(server.url.replace("//", "//me:secret@"))
        assert "the server rejected the user name or password (401); check both" in said
        assert "secret" not in said
        assert "me:***@" in said


class TestLag:
    """Frames that arrive faster than they are taken are dropped, never queued."""

    @pytest.mark.parametrize("kind", ["mjpeg", "ts"])
    def test_a_slow_reader_gets_the_newest(self, serve: Serve, kind: str) -> None:
        chunks = encode_ts(32, gop=8)
        sent: list[int] = []
        base = mjpeg(JPEGS, rate=80) if kind == "mjpeg" else transport_stream(chunks, rate=80)

        def answer(client: Client) -> None:
            plain_send = client.send

            def send(data: bytes) -> None:
                plain_send(data)
                sent.append(len(data))

            client.send = send  # type: ignore[method-assign]
            base(client)

        with camera(serve(answer).url) as source:
            behind = []
            for frame, _ in zip(source, range(14), strict=False):
                assert isinstance(frame, Frame)
                behind.append(len(sent) - frame.index)
                time.sleep(0.25)
        # A reader that got every frame would be 200 behind at the end, whatever the first number.
        assert behind[-1] - behind[0] < 60

    def test_the_server_is_never_held_up(self, serve: Serve) -> None:
        done = threading.Event()
        big = encode(".jpg", noise(640, 480))

        def answer(client: Client) -> None:
            client.head("multipart/x-mixed-replace; boundary=frame")
            for _ in range(100):  # more than any system buffer holds
                client.send(part(big))
            done.set()
            client.wait(30)

        with camera(serve(answer).url) as source:
            iterator = iter(source)
            next(iterator)
            assert done.wait(20)
            frame = next(iterator)
        assert isinstance(frame, Frame)
        assert frame.index > 10

    def test_a_decoder_that_is_too_slow_leaves_parts_out(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        decode = network_camera._LiveDecoder.decode

        def slowly(self: network_camera._LiveDecoder, waiting: Any) -> list[Any]:
            images = decode(self, waiting)
            time.sleep(0.1 * bool(images))
            return images

        monkeypatch.setattr(network_camera._LiveDecoder, "decode", slowly)
        with Watcher(camera(serve(transport_stream(encode_ts(100, gop=100))).url)) as watcher:
            wait_until(lambda: bool(watcher.frames) and watcher.frames[-1].index > 150)
        pairs = zip(watcher.frames, watcher.arrived, strict=False)
        offsets = [arrived - (frame.time_s or 0.0) for frame, arrived in pairs]
        assert max(offsets) - min(offsets) < 3  # of fifteen that it would be behind
        assert sum("decoding 256×192 is too slow on this machine" in text for text in caplog.messages) == 1

    def test_a_stream_that_is_refreshed_in_stripes_has_no_key_frames_but_a_first_one(
        self, serve: Serve
    ) -> None:
        chunks = encode_ts(120, gop=20, intra_refresh=True)
        with camera(serve(transport_stream(chunks, rate=50, first=7)).url) as source:
            frames = [item for item, _ in zip(source, range(3), strict=False) if isinstance(item, Frame)]
        assert len(frames) == 3


class TestEnd:
    def test_one_that_breaks_off_is_lost_where_it_is_not_tried_again(self, serve: Serve) -> None:
        frames, error = take_frames(camera(serve(mjpeg(JPEGS, count=10)).url, reconnect_s=0))
        assert number_in(frames[-1].gray) == 9
        assert isinstance(error, SourceLostError)
        count = frames[-1].index + 1
        assert f"lost after {count} frames: the server closed the connection" in str(error)
        assert "the results so far are kept" in str(error)

    def test_another_thread_ends_it_while_it_waits(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            client.head("multipart/x-mixed-replace; boundary=frame")
            client.send(part(JPEGS[0]))
            client.wait(30)

        source = camera(serve(answer).url)
        with Watcher(source) as watcher:
            wait_until(lambda: len(watcher.frames) == 1)
            started = time.monotonic()
        assert time.monotonic() - started < 2
        assert watcher.error is None
        wait_until(lambda: not any("camera" in thread.name for thread in threading.enumerate()))
