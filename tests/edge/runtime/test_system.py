"""The description of the machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fer_edge.errors import UsageError
from fer_edge.runtime.system import (
    choose_thread_count,
    count_processors,
    describe_machine,
    measure_peak_memory,
    read_temperature,
    read_throttling,
)


def test_there_is_a_processor() -> None:
    assert count_processors() >= 1


def test_as_many_threads_as_processors_unless_others_are_asked_for() -> None:
    assert choose_thread_count(None) == min(64, count_processors())
    assert choose_thread_count(3) == 3
    with pytest.raises(UsageError, match="expected at most 64 threads, got 65"):
        choose_thread_count(65)


def test_the_machine_has_a_name_and_processors() -> None:
    assert "processor" in describe_machine()
    assert "\n" not in describe_machine()


@pytest.mark.parametrize(("text", "degrees"), [("48312\n", 48.312), ("", None), ("none", None)])
def test_temperature_in_degrees(tmp_path: Path, text: str, degrees: float | None) -> None:
    path = tmp_path / "temp"
    path.write_text(text)
    assert read_temperature(path) == degrees
    assert read_temperature(tmp_path / "nothere") is None


@pytest.mark.skipif(sys.platform == "win32", reason="replaces a Raspberry Pi command with a shell script")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("throttled=0x0", ()),
        ("throttled=0x5", ("under-voltage", "throttled")),
        ("throttled=0x50000", ("under-voltage earlier", "throttled earlier")),
        ("throttled=0xa0008", ("soft temperature limit", "processor frequency capped earlier")),
        ("VCHI initialization failed", None),
    ],
)
def test_throttling_in_words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    told: tuple[str, ...] | None,
) -> None:
    command = tmp_path / "vcgencmd"
    command.write_text(f"#!/bin/sh\necho '{answer}'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert read_throttling() == told


def test_no_throttling_where_there_is_no_command_to_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_throttling() is None


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not report the memory of a process")
def test_peak_memory_is_the_command_s() -> None:
    taken = measure_peak_memory(
        [sys.executable, "-c", "import time; kept = b'x' * 400_000_000; time.sleep(0.5)"]
    )
    assert taken is not None
    assert 400_000_000 < taken < 1_000_000_000
    assert measure_peak_memory([sys.executable, "-c", "raise SystemExit(1)"]) is None
