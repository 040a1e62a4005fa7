"""The report page as users see it, in Chromium."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bench.chromium import Browser
from fer_edge.rendering.view import View
from fer_edge.reports.files import open_results, read_file
from fer_edge.reports.page import render_page
from fer_edge.reports.page_data import build_page_data
from fer_edge.reports.report import Report
from fer_edge.types import SkippedInput
from tests.edge.reports.rows import LABELS, make_clip, make_face, make_frame, write_rows

READY = "document.readyState === 'complete' && document.querySelector('#sources li') !== null"
EVIL = "</script><img src=x onerror=alert(1)>"


def make_page(folder: Path, results: Sequence[View | SkippedInput], labels: Sequence[str] = LABELS) -> Path:
    report = Report()
    for file in open_results([write_rows(folder / "rows.jsonl", results, labels)], report.problems):
        report.add(read_file(file, report.problems), file.name)
    report.finish()
    page = folder / "report.html"
    page.write_text(render_page(build_page_data(report), "fer-edge report"), "utf-8")
    return page


def open_page(browser: Browser, page: Path, width: int = 1440, scheme: str = "light") -> None:
    browser.resize(width, 900, phone=width < 700)
    browser.prefer(scheme)
    browser.open(page.as_uri())
    browser.wait_for(READY)


def text(browser: Browser, selector: str) -> str:
    return str(browser.evaluate(f"document.querySelector({selector!r})?.innerText ?? ''"))


def count(browser: Browser, selector: str) -> int:
    return int(browser.evaluate(f"document.querySelectorAll({selector!r}).length"))


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser.call("Input.dispatchKeyEvent", type="keyDown", key=key)
        browser.call("Input.dispatchKeyEvent", type="keyUp", key=key)


def read_pixel(browser: Browser, share: float, y: int) -> list[int]:
    """Return one pixel of the first timeline, uint8 red, green, blue."""
    pixel: list[int] = browser.evaluate(
        "(() => { const c = document.querySelector('.plot canvas');"
        " const x = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});"
        f" x.drawImage(c, 0, 0); const data = x.getImageData(Math.floor(c.width * {share}), {y}, 1, 1).data;"
        " return [...data].slice(0, 3); })()"
    )
    return pixel


def make_two_people() -> list[View]:
    """Return rows in which face 1 is happy for 40 s, and face 2 sad from second 20 on."""
    return [
        make_frame(
            index,
            [make_face(1, "happy", 0.97), *([make_face(2, "sad", 0.97)] if index >= 100 else [])],
            time_s=index / 5,
        )
        for index in range(200)
    ]


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_timeline_with_people_shares_and_times(
    browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    open_page(browser, make_page(tmp_path, make_two_people()), width, scheme)
    assert browser.evaluate("document.title") == "clip.mp4 – fer-edge report"
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate("[...document.querySelectorAll('.names span')].map(name => name.innerText)") == [
        "All faces",
        "Face 1",
        "Face 2",
    ]
    happy, sad = [240, 228, 66], [0, 114, 178]
    assert read_pixel(browser, 0.25, 22) == happy
    assert read_pixel(browser, 0.75, 62) == happy
    assert read_pixel(browser, 0.75, 92) == sad
    assert read_pixel(browser, 0.25, 92) == [0, 0, 0]  # not present yet
    cells = browser.evaluate(
        "[...document.querySelectorAll('.opened > details[open] tbody tr')].map(row => row.innerText.split('\\t'))"
    )
    assert [row[:4] for row in cells] == [
        ["Face 1", "0:00.0", "0:39.8", "40 s"],
        ["Face 2", "0:20.0", "0:39.8", "20 s"],
    ]
    shown = cv2.imdecode(np.frombuffer(browser.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert bool(shown[-2, 2].mean() > 200) is (scheme == "light")
    assert browser.problems == []


def test_names_and_labels_of_any_bytes_are_texts(browser: Browser, tmp_path: Path) -> None:
    labels = (EVIL, "<b>bold</b>", "überrascht \u2028")
    views: list[View | SkippedInput] = [
        *(make_frame(i, [make_face(1, EVIL, 0.9, labels)], source=EVIL, time_s=i / 5) for i in range(10)),
        *(
            make_frame(i, [make_face(2, EVIL, 0.9, labels)], source="odd\udcff\n<!--", time_s=i / 5)
            for i in range(10)
        ),
        SkippedInput("x.mp4", f"{EVIL}: damaged"),
    ]
    page = make_page(tmp_path, views, labels)
    assert b"<img" not in page.read_bytes()
    open_page(browser, page)
    for number in range(2):
        browser.evaluate(f"document.querySelectorAll('#sources h3 button')[{number}].click()")
    assert text(browser, "#sources .source-name") == EVIL
    assert browser.evaluate("document.querySelectorAll('.source-name')[1].innerText").startswith("odd\udcff")
    assert text(browser, ".legend .tag") == EVIL
    assert EVIL in text(browser, "#odd")
    assert count(browser, "img, b, main script") == 0
    assert browser.problems == []


def test_it_loads_nothing_and_its_policy_forbids_the_rest(browser: Browser, tmp_path: Path) -> None:
    asked: list[str] = []
    page = make_page(tmp_path, make_clip())

    def note(name: str, data: dict[str, Any]) -> None:
        if name == "Network.requestWillBeSent":
            asked.append(data["request"]["url"])

    browser.on_event = note
    open_page(browser, page)
    assert asked == [page.as_uri()]
    assert browser.problems == []
    browser.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'}))"
    )
    browser.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    assert browser.evaluate("window.bad === undefined")
    browser.wait_for("true")
    assert any("Content Security Policy" in problem for problem in browser.problems)


def test_keys_read_zoom_and_say_it(browser: Browser, tmp_path: Path) -> None:
    open_page(browser, make_page(tmp_path, make_two_people()))
    browser.evaluate("document.querySelector('.plot').focus()")
    press(browser, "Home", "ArrowDown", "ArrowDown")
    assert text(browser, ".said") == "0:00.0, Face 2, not in view"
    press(browser, "End")
    assert text(browser, ".said").startswith("0:39.5, Face 2, sad 97%")
    whole = text(browser, ".range")
    assert whole == "0:00.0 to 0:40.0 (40 s)"
    press(browser, "+")
    assert text(browser, ".range").startswith("Zoomed: 0:19.7 to 0:39.7")
    press(browser, "0")
    assert text(browser, ".range") == whole
    press(browser, "Escape")
    assert browser.evaluate("document.querySelector('.tip').hidden")


def test_the_mouse_reads_and_drags_to_zoom(browser: Browser, tmp_path: Path) -> None:
    open_page(browser, make_page(tmp_path, make_two_people()))
    box = browser.evaluate(
        "(() => { const {left, top, width} = document.querySelector('.plot').getBoundingClientRect();"
        " return {left, top, width}; })()"
    )

    def mouse(kind: str, share: float, y: int, **more: Any) -> None:
        x = box["left"] + share * box["width"]
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=box["top"] + y, **more)

    mouse("mouseMoved", 0.75, 90)
    assert text(browser, ".tip").splitlines()[:2] == ["0:30.0 · Face 2", "sad 97%"]
    mouse("mouseMoved", 0.25, 90)
    assert text(browser, ".tip").splitlines() == ["0:10.0 · Face 2", "not in view"]
    held = {"button": "left", "buttons": 1, "clickCount": 1}
    mouse("mousePressed", 0.5, 10, **held)
    mouse("mouseMoved", 0.75, 10, buttons=1)
    mouse("mouseReleased", 0.75, 10, button="left", clickCount=1)
    assert text(browser, ".range") == "Zoomed: 0:20.0 to 0:30.0 (10 s)"


def test_an_emotion_can_be_drawn_alone(browser: Browser, tmp_path: Path) -> None:
    open_page(browser, make_page(tmp_path, make_two_people()))
    browser.evaluate(f"document.querySelectorAll('.legend button')[{LABELS.index('sad')}].click()")
    assert read_pixel(browser, 0.25, 62) == [238, 240, 242]  # face 1 is happy
    assert read_pixel(browser, 0.75, 92) == [0, 114, 178]
    assert text(browser, ".legend [aria-pressed=true]") == "sad"


def test_forty_who_run_through_share_rows(browser: Browser, tmp_path: Path) -> None:
    views = [make_frame(i, [make_face(i // 10, "happy"), make_face(100)], time_s=i / 5) for i in range(400)]
    open_page(browser, make_page(tmp_path, views))
    names = browser.evaluate("[...document.querySelectorAll('.names span')].map(name => name.innerText)")
    assert 3 <= len(names) <= 5
    assert "40 faces" not in names
    assert "Face 100" in names
    assert count(browser, ".marks span") > 10
    browser.evaluate("document.querySelector('.opened > details summary').click()")
    browser.wait_for("document.querySelectorAll('.opened > details[open] tbody tr').length === 41")


def test_thirty_sources_are_small_and_sorted_and_filtered(browser: Browser, tmp_path: Path) -> None:
    views = [
        view
        for number in range(30)
        for view in make_clip(
            2.0 + number, 2.0, source=f"interview {number}.mp4", emotion="sad" if number % 3 == 0 else "happy"
        )
    ]
    open_page(browser, make_page(tmp_path, views))
    names = "[...document.querySelectorAll('#sources .source-name')].map(name => name.innerText)"
    assert browser.evaluate(names)[:2] == ["interview 0.mp4", "interview 1.mp4"]
    assert text(browser, "#found") == "30 sources"

    def choose(name: str, value: str) -> None:
        browser.evaluate(
            f"(() => {{ const field = document.querySelector('{name}'); field.value = '{value}';"
            " field.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )

    choose("#sort", "time")
    assert browser.evaluate(names)[:2] == ["interview 29.mp4", "interview 28.mp4"]
    choose("#sort", ":sad")
    assert browser.evaluate(names)[:2] == ["interview 0.mp4", "interview 3.mp4"]
    choose("#filter", "view 1")
    assert text(browser, "#found") == "11 of 30 sources"
    choose("#emotion", "sad")
    assert set(browser.evaluate(names)) == {"interview 12.mp4", "interview 15.mp4", "interview 18.mp4"}
    button = "document.querySelector('#sources h3 button')"
    browser.evaluate(f"{button}.click()")
    assert browser.evaluate(f"{button}.ariaExpanded") == "true"
    assert count(browser, ".plot") == 1
    assert browser.problems == []


def test_a_camera_has_its_own_clock_and_gaps(browser: Browser, tmp_path: Path) -> None:
    start = datetime(2026, 11, 23, 23, 59, 0, tzinfo=timezone(timedelta(hours=1)))
    seconds = [*range(60), *range(300, 360)]
    views = [
        make_frame(i, [make_face()], source="camera 0", time_s=float(s), clock=start + timedelta(seconds=s))
        for i, s in enumerate(seconds)
    ]
    open_page(browser, make_page(tmp_path, views))
    assert text(browser, ".range") == "23 Nov 2026 23:59:00 to 24 Nov 00:05:00 (6 min, UTC+01:00)"
    browser.evaluate(
        "[...document.querySelectorAll('summary')].find(s => s.innerText.startsWith('Gaps')).click()"
    )
    browser.wait_for("document.querySelector('details[open] [aria-label=Gaps] td') !== null")
    row = text(browser, "[aria-label=Gaps] tbody tr").split("\t")
    assert row == ["23 Nov 23:59:59", "24 Nov 00:04:00", "4 min 1 s", "no rows"]


def test_images_are_listed_by_name(browser: Browser, tmp_path: Path) -> None:
    views: list[View | SkippedInput] = [
        make_frame(0, [make_face(number)] * (number % 3), source=f"photos/{number}.jpg")
        for number in range(20)
    ]
    open_page(
        browser, make_page(tmp_path, [*views, SkippedInput("photos/x.jpg", "photos/x.jpg: damaged file")])
    )
    assert text(browser, ".range") == "images 1 to 20"
    assert text(browser, "[aria-label=Images] tbody tr:nth-child(2)").split("\t")[:2] == ["photos/1.jpg", "1"]
    assert "photos/x.jpg: damaged file" in text(browser, ".opened .list")
    assert count(browser, ".names span") == 1


def test_what_has_no_face_at_all_is_still_a_page(browser: Browser, tmp_path: Path) -> None:
    open_page(browser, make_page(tmp_path, [make_frame(i, time_s=i / 5) for i in range(20)]))
    assert "0%" in text(browser, ".figures")
    assert browser.problems == []


def test_everything_that_works_has_a_name_and_the_tables_are_there(browser: Browser, tmp_path: Path) -> None:
    open_page(browser, make_page(tmp_path, make_two_people()))
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if "role" in node
    }
    assert all(
        name for role, name in named if role in ("image", "button", "heading", "combobox", "searchbox")
    )
    assert ("heading", "Shares of the emotions") in named
    browser.evaluate("[...document.querySelectorAll('.opened summary')].at(-1).click()")
    browser.wait_for("document.querySelectorAll('[aria-label=Timeline] tbody tr').length === 60")


def test_it_prints(browser: Browser, tmp_path: Path) -> None:
    open_page(browser, make_page(tmp_path, make_two_people()), scheme="dark")
    pdf = browser.call("Page.printToPDF", printBackground=True)["data"]
    assert len(pdf) > 10_000
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    time.sleep(0.1)
    assert count(browser, "details:not([open])") == 1  # the reading guide, which is not printed
    paper = cv2.imdecode(np.frombuffer(browser.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert paper is not None
    assert paper[-2, 2].mean() > 240
    browser.call("Emulation.setEmulatedMedia", media="", features=[])
