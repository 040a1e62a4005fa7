"""The content served under each path."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from fer_edge.rendering.view import View
from fer_edge.sinks.base import RunStatus
from fer_edge.sinks.http import encoded_image, live, routes
from fer_edge.types import FaceBox, Frame, FrameResult, Image, SkippedInput, StreamInfo
from tests.edge.sinks.http.serving import STREAM, Events, Served, format_request, parse, read_image
from tests.edge.support import corners, make_face, make_view, wait_until


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as served:
        yield served


class TestStream:
    def test_each_image_is_the_annotated_one(self, served: Served) -> None:
        view = make_view(image=corners(320, 240))
        with served.watch("/stream") as connection:
            wait_until(lambda: served.get("/metrics").body.decode().count("fer_edge_viewers 1") == 1)
            served.write(view)
            jpeg = read_image(connection)
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert np.mean(np.abs(image.astype(int) - view.image())) < 5
        assert np.mean(np.abs(image.astype(int) - corners(320, 240))) > np.mean(
            np.abs(image.astype(int) - view.image())
        )

    def test_a_part_ends_at_once_not_with_the_next_image(self, served: Served) -> None:
        with served.watch("/stream") as connection:
            wait_until(lambda: b"fer_edge_viewers 1" in served.get("/metrics").body)
            served.write()
            read_image(connection)
            assert connection.recv(100) == b"\r\n--fer-edge-image\r\n"

    def test_large_images_are_made_smaller(self, served: Served) -> None:
        with served.watch("/stream") as connection:
            wait_until(lambda: b"fer_edge_viewers 1" in served.get("/metrics").body)
            served.write(make_view(image=corners(2560, 1440)))
            image = cv2.imdecode(np.frombuffer(read_image(connection), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape == (720, 1280, 3)

    def test_nothing_is_drawn_while_nobody_watches(self, served: Served) -> None:
        view = make_view()
        served.write(view)
        assert view.draw_s is None

    def test_an_image_is_encoded_once_for_all_who_watch(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        encoded = []
        encode = encoded_image._encode

        def count(image: Image) -> bytes:
            encoded.append(image)
            return encode(image)

        monkeypatch.setattr(encoded_image, "_encode", count)
        with served.watch("/stream") as one, served.watch("/stream") as two, served.watch("/stream") as three:
            wait_until(lambda: b"fer_edge_viewers 3" in served.get("/metrics").body)
            served.write()
            images = {read_image(connection) for connection in (one, two, three)}
        assert len(images) == len(encoded) == 1

    def test_fast_videos_are_thinned_out(self, served: Served) -> None:
        views = [make_view(number) for number in range(20)]
        with served.watch("/stream"):
            wait_until(lambda: b"fer_edge_viewers 1" in served.get("/metrics").body)
            for view in views:
                served.write(view)
        assert views[0].draw_s is not None
        assert sum(view.draw_s is not None for view in views) < 20


class TestEvents:
    def test_it_begins_with_what_the_page_needs_then_the_status_then_rows(self, served: Served) -> None:
        served.status.frames_dropped, served.status.reconnects = 3, 1
        served.write()
        with served.watch("/events") as connection:
            events = Events(connection)
            hello = events.next("hello")
            assert hello["labels"] == ["sad", "happy"]
            assert hello["colors"] == ["#0072b2", "#f0e442"]
            assert hello["inks"] == ["#ffffff", "#000000"]
            (face,) = hello["history"]
            assert face["id"] == 0
            assert face["samples"][0][1:] == [250, 750]
            status = events.next("status")
            assert status["state"] == "running"
            assert (status["source"], status["live"]) == ("camera 0", True)
            assert (status["frames"], status["frames_dropped"], status["reconnects"]) == (1, 3, 1)
            view = make_view(7, faces=2)
            served.write(view)
            row = events.next("frame")
        record = view.as_record()
        assert all(row[name] == value for name, value in record.items() if name != "faces")
        for face, expected in zip(row["faces"], record["faces"], strict=True):
            assert face == {**expected, "label": "happy"}

    def test_the_status_goes_on_where_no_frame_comes(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(routes, "_STATUS_EVERY_S", 0.05)
        monkeypatch.setattr(live, "STALLED_S", 0.2)
        with served.watch("/events") as connection:
            events = Events(connection)
            assert events.next("status")["state"] == "starting"
            served.write()
            ages = [status for _ in range(12) if (status := events.next("status"))["state"] == "stalled"]
        assert ages
        assert ages[-1]["frame_age_s"] > 0.2
        assert ages[-1]["fps"] == ages[-1]["faces"] == 0

    def test_the_end_of_the_run_is_told(self, served: Served) -> None:
        with served.watch("/events") as connection:
            events = Events(connection)
            events.next("status")
            served.sink.close()
            assert events.next("end")["frames"] == 0

    def test_another_stream_changes_the_name(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(routes, "_STATUS_EVERY_S", 0.02)
        with served.watch("/events") as connection:
            events = Events(connection)
            assert events.next("status")["source"] == "camera 0"
            served.sink._live.begin(StreamInfo(name="b\udcff.mp4"))
            wait_until(lambda: events.next("status")["source"] == "b\udcff.mp4")


class TestHealth:
    def test_it_is_starting_then_running_then_stalled(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer = served.get("/healthz")
        assert (answer.status, answer.json["state"], answer.json["frame_age_s"]) == (503, "starting", None)
        served.write()
        answer = served.get("/healthz")
        assert (answer.status, answer.json["state"], answer.json["frames"]) == (200, "running", 1)
        monkeypatch.setattr(live, "STALLED_S", 0.01)
        time.sleep(0.05)
        answer = served.get("/healthz")
        assert (answer.status, answer.json["state"]) == (503, "stalled")

    def test_an_input_that_cannot_be_read_is_no_frame(self, served: Served) -> None:
        served.sink.write(SkippedInput("a.mp4", "damaged"))
        assert served.get("/healthz").status == 503


class TestMetrics:
    def test_every_figure_has_a_type_and_a_number(self, served: Served) -> None:
        served.status.frames_dropped, served.status.reconnects = 5, 2
        faces = [make_face(FaceBox(0, 0, 9, 9), label) for label in ("happy", "happy", "sad", "happy")]
        served.write(View(FrameResult(Frame(corners()), tuple(faces))))
        answer = served.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = answer.body.decode().splitlines()
        for line in lines:
            assert re.fullmatch(
                r'# (HELP|TYPE) fer_edge_\w+ .+|fer_edge_\w+(\{emotion="\w+"\})? [0-9.e-]+', line
            ), line
        assert {
            "fer_edge_frames_total 1",
            "fer_edge_frames_dropped_total 5",
            "fer_edge_reconnects_total 2",
            "fer_edge_faces 4",
            "fer_edge_viewers 0",
            'fer_edge_emotion_share{emotion="happy"} 0.75',
            'fer_edge_emotion_share{emotion="sad"} 0.25',
        } <= set(lines)
        assert any(line.startswith("fer_edge_last_frame_age_seconds 0.") for line in lines)

    def test_odd_labels_are_escaped(self) -> None:
        with Served(labels=('a"b', "c\\d", "e\nf", "ü")) as served:
            text = served.get("/metrics").body.decode()
        assert 'emotion="a\\"b"' in text
        assert 'emotion="c\\\\d"' in text
        assert 'emotion="e\\nf"' in text
        assert 'emotion="ü"' in text


class TestSnapshot:
    def test_the_snapshot_is_the_next_frame(self, served: Served) -> None:
        served.feed()
        answer = served.get("/snapshot.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        assert cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR) is not None

    def test_without_a_frame_it_says_so(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(routes, "_SNAPSHOT_S", 0.05)
        served.write()
        answer = served.get("/snapshot.jpg")
        assert (answer.status, answer.body) == (503, b"No frame has arrived; try again later.\n")


class TestRequests:
    @pytest.mark.parametrize(
        "method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "FOO"]
    )
    def test_other_methods_are_refused(self, served: Served, method: str) -> None:
        answer = served.get("/", method)
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD"

    @pytest.mark.parametrize(
        "path", ["/", "/style.css", "/healthz", "/metrics", "/stream", "/images", "/events", "/nowhere"]
    )
    def test_head_is_get_without_a_body(self, served: Served, path: str) -> None:
        answer = served.get(path, "HEAD")
        assert answer.body == b""
        assert answer.status == {"/healthz": 503, "/nowhere": 404}.get(path, 200)

    @pytest.mark.parametrize(
        "path",
        ["/nowhere", "/../live.py", "/%2e%2e/live.py", "/page/../live.py", "//", "//etc/passwd", "/./", "/index.html",
         "/live.py", "/style.css/", "/style.css%00", "/STREAM", "/stream/", "/<script>alert(1)</script>"],
    )  # fmt: skip
    def test_other_paths_do_not_exist(self, served: Served, path: str) -> None:
        answer = served.get(path)
        assert answer.status == 404
        assert answer.body == b"This address does not exist.\n"

    @pytest.mark.parametrize(
        "raw",
        [
            b"\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET / HTTP/0.9\r\n\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
            b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n",
            b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n: empty\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET /?" + b"&".join(b"a=1" for _ in range(100)) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ],
    )
    def test_what_cannot_be_read_is_a_bad_request(
        self, served: Served, raw: bytes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = parse(served.send(raw))
        assert answer.status == 400
        assert answer.body.endswith(b".\n")
        assert capfd.readouterr().err == ""
        assert caplog.records == []

    def test_a_body_is_not_waited_for(self, served: Served) -> None:
        raw = format_request(served.port, "/healthz", content_length="1000000")
        assert parse(served.send(raw)).status == 503
        assert parse(served.send(raw + b"x" * 3000)).status == 503

    def test_one_request_is_answered_on_a_connection(self, served: Served) -> None:
        raw = served.send(format_request(served.port, "/style.css") + format_request(served.port, "/healthz"))
        assert raw.count(b"HTTP/1.1 ") == 1

    def test_an_old_client_is_answered(self, served: Served) -> None:
        assert parse(served.send(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")).status == 503


class RuleEvent:
    """An event of a rule."""

    def __init__(self, number: int) -> None:
        self._number = number

    def as_record(self) -> dict[str, object]:
        return {"rule": "happy > 0.8", "number": self._number}


def test_rules_that_come_true_are_told_once_to_whoever_listens(served: Served) -> None:
    served.sink.send_event(RuleEvent(1))  # before anyone connects
    with served.watch("/events") as connection:
        events = Events(connection)
        events.next("status")
        for number in range(2, 5):
            served.sink.send_event(RuleEvent(number))
        served.write()
        assert [events.next("rule")["number"] for _ in range(3)] == [2, 3, 4]


def test_events_are_counted_by_rule() -> None:
    with Served(status=RunStatus(events={'any "very happy"': 3})) as served:
        body = served.get("/metrics").body.decode()
    assert 'fer_edge_rule_events_total{rule="any \\"very happy\\""} 3' in body


def test_the_page_has_no_outside_resources(served: Served) -> None:
    page = served.get("/").body.decode()
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {"/style.css", "/app.js", "/icon.svg"} <= set(files)
    for file in {*files, "/connection.js", "/faces.js"} - {"/stream", "/snapshot.jpg"}:
        answer = served.get(file)
        assert answer.status == 200
        assert "http" not in re.sub(r"http://www.w3.org/2000/svg", "", answer.body.decode())
    assert "http" not in page
    assert not re.search(r"<script(?! type=\"module\" src=)|<style| style=| on\w+=", page)


def test_the_view_of_a_recorded_video_says_so() -> None:
    with Served(stream=StreamInfo(name="clip.mp4")) as served, served.watch("/events") as connection:
        status = Events(connection).next("status")
    assert status["live"] is False
    assert STREAM.live
