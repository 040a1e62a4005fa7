"""Shared fixtures: real images, and real data if available. Under CI, no test is skipped silently."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.chromium import CHROMIUM, Browser
from fer_edge.cli.messages import configure_messages
from fer_edge.runtime.shutdown import install_signal_handlers

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def portrait_path() -> Path:
    """Return the path of a public-domain portrait with one face."""
    return REPOSITORY / "tests/data/grace_hopper.jpg"


@pytest.fixture
def portrait(portrait_path: Path) -> NDArray[np.uint8]:
    """Return the portrait as uint8 (height, width, 3) BGR."""
    image = cv2.imread(str(portrait_path))
    assert image is not None
    return np.asarray(image, np.uint8)


@pytest.fixture(scope="session")
def fer2013_path() -> Path | None:
    """Return the path of FER-2013 if available, otherwise None."""
    path = Path(os.environ.get("FER_DATA", REPOSITORY / "../shared/data/fer2013.tar.gz"))
    return path if path.exists() else None


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Run one browser per test session; tests use it through ``browser``."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Return the browser with an empty page of 1440 × 900 pixels, the light scheme and no problems."""
    chromium.on_event = lambda name, data: None
    chromium.resize(1440, 900)
    chromium.prefer("light")
    chromium.open("about:blank")
    chromium.wait_for("document.readyState === 'complete' && location.href === 'about:blank'")
    chromium.problems.clear()
    yield chromium
    chromium.open("about:blank")  # an open page would keep drawing during later tests


def allowed_skips() -> list[str]:
    """Return the patterns of allowed skip reasons under CI; CI_SKIPS overrides the list."""
    path = Path(os.environ.get("CI_SKIPS") or Path(__file__).with_name("ci_skips.txt"))
    lines = map(str.strip, path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def fail_skip_under_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure if CI=true and the list does not contain its reason."""
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = text.removeprefix("Skipped: ")
    if not any(fnmatchcase(reason, pattern) for pattern in allowed_skips()):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped under CI: {reason}\n"
            "Install what the test needs in scripts/ci_setup.sh, or allow the reason in tests/ci_skips.txt"
        )


def escape_surrogates(report: pytest.TestReport) -> None:
    """Escape what is not UTF-8 in a report: names of any bytes are logged, and xdist's workers cannot send them."""

    def escape(text: str) -> str:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")

    report.sections = [(escape(title), escape(text)) for title, text in report.sections]
    if not isinstance(report.longrepr, tuple) and escape(text := str(report.longrepr)) != text:
        report.longrepr = escape(text)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fail_skip_under_ci(report)
    escape_surrogates(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_skip_under_ci(report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Reset messages, and signal handlers to those of a terminal, which child processes inherit.

    An earlier test may have changed both, and nohup or a background job ignores signals.
    """
    configure_messages()
    install_signal_handlers()  # forgets the signals of earlier tests
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
