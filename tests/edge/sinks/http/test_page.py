"""The live page as users see it: headless Chromium opens the page that a run serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.chromium import Browser
from fer_edge.rendering.view import View
from fer_edge.sinks.http import live
from fer_edge.types import (
    Detection,
    EmotionScores,
    FaceBox,
    FaceResult,
    Frame,
    FrameResult,
    Image,
    StreamInfo,
)
from tests.edge.sinks.http.serving import TOKEN, Served
from tests.edge.support import noise, wait_until

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SCORES = (0.05, 0.02, 0.03, 0.5, 0.1, 0.1, 0.2)
OTHER_SCORES = (0.05, 0.02, 0.03, 0.1, 0.5, 0.1, 0.2)

WIDTHS = pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900)])
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


class Show(Served):
    """A run with a live view; each frame is the portrait, increasingly bright."""

    def __init__(self, portrait: Image, faces: int = 1, token: str = "", target: str = "0") -> None:
        super().__init__(target, token, StreamInfo(name="/dev/video0", live=True), LABELS)
        self._portrait = np.asarray(cv2.resize(portrait, (320, 375)), np.uint8)
        self.faces = faces

    def write(self, view: View | None = None) -> None:
        index = self.status.frames
        faces = tuple(
            FaceResult(
                number + 1,
                Detection(FaceBox(60 + 10 * number, 60, 150, 150)),
                EmotionScores(LABELS, SCORES if number % 2 == 0 else OTHER_SCORES),
                "happy" if number % 2 == 0 else "sad",
            )
            for number in range(self.faces)
        )
        image = self._portrait.copy()
        image[-40:] = 10 * index % 250
        super().write(View(FrameResult(Frame(image, "/dev/video0", index, index / 25), faces)))


@pytest.fixture
def show(portrait: Image) -> Iterator[Show]:
    with Show(portrait) as show:
        show.feed(0.04)
        yield show


def open_page(
    browser: Browser, show: Served, width: int = 1440, height: int = 900, scheme: str = "light"
) -> None:
    browser.resize(width, height, phone=width < 700)
    browser.prefer(scheme)
    browser.open("about:blank")
    browser.wait_for("document.readyState === 'complete' && location.href === 'about:blank'")
    browser.problems.clear()
    browser.open(show.sink.url)


def text(browser: Browser, selector: str) -> str:
    return str(browser.evaluate(f"document.querySelector({selector!r})?.innerText ?? ''"))


def wait_for_state(browser: Browser, state: str) -> None:
    browser.wait_for(f"document.querySelector('#state')?.dataset.state === '{state}'")


def chart_pixels(area: str, what: str) -> str:
    """Return a JavaScript expression of the pixels (``data``) in an area of the first chart (``c``)."""
    return (
        "(() => { const c = document.querySelector('.chart canvas'); if (!c?.clientWidth) return false;"
        " const x = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});"
        f" x.drawImage(c, 0, 0); const data = x.getImageData({area}).data; return {what}; }})()"
    )


@WIDTHS
@SCHEMES
def test_image_faces_chart_and_figures_are_seen(
    browser: Browser, show: Show, width: int, height: int, scheme: str, tmp_path: Path
) -> None:
    open_page(browser, show, width, height, scheme)
    wait_for_state(browser, "running")
    count = "Number(document.querySelector('#image').dataset.count)"
    browser.wait_for(f"{count} > 3")
    seen = browser.evaluate(count)
    browser.wait_for(f"{count} > {seen} + 3")
    browser.wait_for("document.querySelectorAll('.face .scores > div').length === 7")
    browser.wait_for("parseFloat(document.querySelector('#fps').innerText) > 0")
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert text(browser, "#state") == "Live"
    assert text(browser, ".face .tag") == "happy"
    assert text(browser, ".face .top dt") == "happy"
    widths = browser.evaluate("[...document.querySelectorAll('.face .fill')].map(fill => fill.style.width)")
    assert [float(each.removesuffix("%")) for each in widths] == pytest.approx(
        [100 * score for score in SCORES]
    )
    # The newest column of the chart, from the top: the label colors in order.
    column = browser.wait_for(chart_pixels("c.width - 1, 0, 1, c.height", "data[3] === 255 && data"))
    rows = len(column) // 4
    shown = [[column[str(4 * int(y * rows) + channel)] for channel in range(3)] for y in (0.35, 0.65, 0.95)]
    assert shown == [[240, 228, 66], [0, 114, 178], [221, 221, 221]]
    screen = cv2.imdecode(np.frombuffer(browser.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert screen is not None
    assert screen.shape[:2] == (height, width)
    ground = screen[height - 2, 2].mean()
    assert bool(ground > 200) is (scheme == "light")
    assert browser.problems == []


def test_the_image_on_the_page_is_the_one_that_is_drawn(browser: Browser, show: Show) -> None:
    open_page(browser, show)
    browser.wait_for("document.querySelector('#image')?.dataset.count > 1")
    assert browser.evaluate(
        "[document.querySelector('#image').width, document.querySelector('#image').height]"
    ) == [320, 375]
    # The edge of the box has the color of "happy".
    pixel = browser.evaluate(
        "[...document.querySelector('#image').getContext('2d').getImageData(60, 130, 1, 1).data]"
    )
    red, green, blue, _ = pixel
    assert min(red, green) > 190
    assert blue < 180


@WIDTHS
def test_several_faces_come_and_go(browser: Browser, show: Show, width: int, height: int) -> None:
    show.faces = 3
    open_page(browser, show, width, height)
    browser.wait_for("document.querySelectorAll('.face').length === 3")
    assert browser.evaluate("[...document.querySelectorAll('.face .name')].map(name => name.innerText)") == [
        "Face 1", "Face 2", "Face 3",
    ]  # fmt: skip
    assert browser.evaluate("[...document.querySelectorAll('.tag')].map(tag => tag.innerText)") == [
        "happy",
        "sad",
        "happy",
    ]
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    show.faces = 1
    browser.wait_for("document.querySelectorAll('.face.left').length === 2")
    show.faces = 12
    browser.wait_for(
        "document.querySelectorAll('.face').length === 8 && document.querySelector('#more').innerText"
    )
    assert text(browser, "#more") == "and 4 more"
    assert text(browser, "#count") == "12"
    show.faces = 0
    browser.wait_for("!document.querySelector('#nobody').hidden")
    assert text(browser, "#nobody") == "No face in view."
    assert browser.problems == []


@WIDTHS
def test_odd_and_many_names_stay_text_and_in_their_place(browser: Browser, width: int, height: int) -> None:
    odd = ("<img src=x onerror=alert(1)>", "a" * 80, "überrascht", "\"'&", "幸せ")
    labels = (*odd, *(f"label {number}" for number in range(40)))
    name = "rtsp://camera.example/" + "b" * 90 + "<script>alert(1)</script>"
    scores = EmotionScores(labels, (0.5, *((0.5 / (len(labels) - 1),) * (len(labels) - 1))))
    with Served(stream=StreamInfo(name=name, live=True), labels=labels) as served:
        open_page(browser, served, width, height)
        face = FaceResult(1, Detection(FaceBox(2, 2, 40, 40)), scores, labels[0])
        served.feed(
            0.04,
            lambda number: View(FrameResult(Frame(noise(seed=number), name, number, number / 25), (face,))),
        )
        browser.wait_for("document.querySelectorAll('.face .scores > div').length === 45")
        wait_for_state(browser, "running")
        assert browser.evaluate("document.documentElement.scrollWidth") == width
        assert browser.evaluate("document.querySelectorAll('img, .face script').length") == 0
        assert text(browser, ".face .tag") == odd[0]
        assert text(browser, "#source") == name
        assert browser.evaluate("document.querySelector('.face').offsetHeight") < 600
        assert browser.evaluate("document.querySelector('header').offsetHeight") < 110
        assert browser.problems == []


def test_a_page_that_is_opened_later_shows_what_was_before(browser: Browser, show: Show) -> None:
    show.sink._live._started -= 100  # make the run older
    for second in range(100):
        show.sink._live._history.add(show_faces(), second)
    open_page(browser, show)
    filled = chart_pixels(
        "0, c.height / 2, c.width, 1", "data.filter((v, i) => i % 4 === 3 && v).length / c.width"
    )
    browser.wait_for(f"{filled} > 0.4")


def show_faces() -> tuple[FaceResult, ...]:
    return (FaceResult(1, Detection(FaceBox(60, 60, 150, 150)), EmotionScores(LABELS, SCORES), "happy"),)


def test_a_lost_stream_is_said_and_that_it_is_back(
    browser: Browser, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(browser, show)
    wait_for_state(browser, "running")
    show.stop_feeding()
    wait_for_state(browser, "stalled")
    assert text(browser, "#notice-title").startswith("No frames for ")
    assert text(browser, "#state") == "No frames"
    assert text(browser, "#fps") == "–"
    assert browser.evaluate("document.title").startswith("No frames")
    show._stop.clear()
    show.feed(0.04)
    wait_for_state(browser, "running")
    assert browser.evaluate("document.querySelector('#notice').hidden")
    assert browser.problems == []


def test_before_the_first_frame_it_waits(browser: Browser, portrait: Image) -> None:
    with Show(portrait) as show:
        open_page(browser, show)
        wait_for_state(browser, "starting")
        assert "Waiting for the first frame" in text(browser, "#notice")
        assert browser.evaluate("document.querySelector('#image').hidden")
        assert not browser.evaluate("document.querySelector('#nobody').checkVisibility()")
        show.feed(0.04)
        wait_for_state(browser, "running")
        browser.wait_for("document.querySelector('#image').dataset.count > 2")


def test_the_end_is_said_and_the_next_run_on_that_port_is_shown(browser: Browser, portrait: Image) -> None:
    with Show(portrait) as show:
        show.feed(0.04)
        open_page(browser, show)
        wait_for_state(browser, "running")
    wait_for_state(browser, "ended")
    assert "The run has ended" in text(browser, "#notice")
    with Show(portrait, target=str(show.port)) as show:
        show.feed(0.04)
        wait_for_state(browser, "running")
        count = browser.evaluate("Number(document.querySelector('#image').dataset.count ?? 0)")
        browser.wait_for(f"Number(document.querySelector('#image').dataset.count) > {count}")


def test_a_program_that_is_gone_is_said(
    browser: Browser, portrait: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Show(portrait) as show:
        show.feed(0.04)
        open_page(browser, show)
        wait_for_state(browser, "running")
        monkeypatch.setattr(
            "fer_edge.sinks.http.routes._event", lambda name, data: b""
        )  # the stream ends without notice
    wait_for_state(browser, "lost")
    assert "No connection to fer-edge for" in text(browser, "#notice")


def test_reloading_leaves_one_stream_open(browser: Browser, show: Show) -> None:
    open_page(browser, show)
    for _ in range(8):
        browser.evaluate("location.reload()")
        browser.wait_for("document.querySelector('#image')?.dataset.count > 0")
    wait_until(lambda: b"fer_edge_viewers 1\n" in show.get("/metrics").body)
    browser.open("about:blank")
    wait_until(lambda: b"fer_edge_viewers 0\n" in show.get("/metrics").body)


@pytest.mark.parametrize("linked", [False, True])
def test_the_address_with_the_token_opens_the_page(browser: Browser, portrait: Image, linked: bool) -> None:
    with Show(portrait, token=TOKEN) as show, Served() as elsewhere:
        show.feed(0.04)
        open_page(browser, show)
        browser.wait_for("document.querySelector('#token-form')")
        if linked:
            # A link on another site's page: browsers do not send a strict cookie along a redirect from there.
            browser.open(elsewhere.sink.url.replace("127.0.0.1", "localhost"))
            browser.wait_for("location.hostname === 'localhost' && document.readyState === 'complete'")
            browser.evaluate(f"void (location.href = '{show.sink.url}?token={TOKEN}')")
        else:
            browser.evaluate(f"document.querySelector('#token').value = '{TOKEN}'")
            browser.evaluate("document.querySelector('#token-form').requestSubmit()")
        wait_for_state(browser, "running")
        assert browser.evaluate("location.href") == show.sink.url
        assert TOKEN not in browser.evaluate("document.cookie")


def test_a_page_of_another_site_reads_nothing(browser: Browser, show: Show) -> None:
    with Served() as elsewhere:
        browser.open(elsewhere.sink.url.replace("127.0.0.1", "localhost") + "nowhere")
        browser.wait_for("location.hostname === 'localhost' && document.readyState === 'complete'")
        browser.call("Page.setBypassCSP", enabled=True)
        browser.call("Page.reload")
        browser.wait_for("document.readyState === 'complete'")
        for path in ("events", "snapshot.jpg", "healthz"):
            fetched = f"fetch('{show.sink.url}{path}').then(() => 'read', () => 'refused')"
            assert browser.evaluate(fetched) == "refused"
        image = (
            "new Promise(done => { const image = new Image(); image.onload = () => done('read');"
            f" image.onerror = () => done('refused'); image.src = '{show.sink.url}snapshot.jpg'; }})"
        )
        assert browser.evaluate(image) == "refused"
        browser.call("Page.setBypassCSP", enabled=False)


def test_it_is_made_for_keyboards_and_screen_readers(browser: Browser, show: Show) -> None:
    open_page(browser, show)
    wait_for_state(browser, "running")
    browser.wait_for("document.querySelector('.chart canvas')?.getAttribute('aria-label')")
    browser.wait_for("document.querySelector('#image').dataset.count > 0")
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if "role" in node
    }
    roles = {role for role, _ in named}
    assert {"main", "banner", "heading", "status", "figure"} <= roles
    assert ("image", "Live image with a box and an emotion at each face") in named
    assert ("link", "Save image") in named
    assert all(name for role, name in named if role in ("image", "link", "button", "heading"))
    assert browser.evaluate("document.querySelectorAll('[aria-live], [role=status]').length") == 1
    for _ in range(2):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.evaluate("['full', 'save'].includes(document.activeElement.id)")


def test_the_temperature_is_shown_where_there_is_one(
    browser: Browser, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(browser, show)
    wait_for_state(browser, "running")
    monkeypatch.setattr(live, "read_temperature", lambda: 51.4)
    browser.wait_for("document.querySelector('#temperature').innerText === '51 °C'")
