"""Kills commands at random moments, then checks the files they left and the next run.

The signal is SIGKILL or one that a command handles; the exit status must match the signal.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bench.media import PORTRAIT
from tests.edge.cli.loopback_camera import loopback_camera
from tests.faults.commands import COMMANDS, Command, check_readable, prepare, read_content
from tests.faults.publisher import slow_publisher

__all__ = ["SIGNALS", "Kill", "kill_at_random"]

SIGNALS = {"KILL": -9, "INT": 130, "TERM": 143, "HUP": 143}
"""The signals that a command may receive, and its exit status after each."""

_RUNS_WITHIN_S = 300.0
_ENDS_WITHIN_S = 60.0
_OURS = ("fer_", "tests/")  # in tracebacks
_AGAIN_S = 0.05  # pause before the second signal, which half of the kills send


@dataclass(frozen=True, slots=True)
class Kill:
    """The result of a signal after so many seconds; ``faults`` lists the failed checks."""

    command: str
    signal: str
    after_s: float
    was_running: bool
    faults: tuple[str, ...]


def kill_at_random(
    folder: Path, names: Iterable[str], kills: int, seed: int, signals: Sequence[str] = ("KILL",)
) -> Iterator[Kill]:
    """Kill the named commands, each from a fresh start, in proportion to their weights; yield each result.

    Each kill uses a random one of ``signals``, which are names from ``SIGNALS``.
    """
    chosen = list(names)
    inputs = folder / "inputs"
    prepare(inputs, set(chosen))
    portrait = cv2.imread(str(PORTRAIT))
    assert portrait is not None
    rng = random.Random(seed)
    with ExitStack() as stack:
        camera = stack.enter_context(loopback_camera(np.asarray(portrait, np.uint8)))
        environment = {**os.environ, "FER_EDGE_CACHE": str(folder / "cache"), "CUDA_VISIBLE_DEVICES": ""}
        publisher = stack.enter_context(slow_publisher())
        runner = _Runner(
            {"inputs": str(inputs), "camera": camera, "publisher": publisher},
            environment,
        )
        if {"convert", "evaluate", "soft-labels"} & set(chosen):
            runner.run(COMMANDS["fit"], inputs.parent / "trained")
            shutil.copytree(inputs.parent / "trained/run", inputs / "run")
        whole = {name: runner.measure(COMMANDS[name], folder / f"whole-{name}") for name in chosen}
        turns = _spread(chosen)
        for number in range(kills):
            name = turns[number % len(turns)]
            kind = rng.choice(signals)
            yield runner.kill(name, folder / f"{number}-{name}", rng, kind, whole[name])


def _spread(names: list[str]) -> list[str]:
    """Return each name as often as its weight, spread evenly."""
    places = [
        ((turn + 0.5) / COMMANDS[name].weight, number, name)
        for number, name in enumerate(names)
        for turn in range(COMMANDS[name].weight)
    ]
    return [name for _, _, name in sorted(places)]


@dataclass(frozen=True, slots=True)
class _Whole:
    """An uninterrupted run: its files, and the contents that must be identical."""

    files: frozenset[str]
    contents: dict[str, bytes]


class _Runner:
    def __init__(self, places: dict[str, str], environment: dict[str, str]) -> None:
        self._places, self._environment = places, environment

    def run(self, command: Command, out: Path, *, again: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        out.mkdir(exist_ok=True)
        return subprocess.run(
            self._line(command, out, again),
            capture_output=True,
            text=True,
            timeout=_RUNS_WITHIN_S,
            env=self._environment,
            check=False,
        )

    def measure(self, command: Command, out: Path) -> _Whole:
        """Run a command without a kill; return its files and contents."""
        done = self.run(command, out)
        assert done.returncode == 0, done.stderr
        return _Whole(_list_files(out), {name: read_content(out / name) for name in command.same})

    def kill(self, name: str, out: Path, rng: random.Random, kind: str, whole: _Whole) -> Kill:
        """Kill a run after a random share of its time, check its files, and run it again."""
        command = COMMANDS[name]
        out.mkdir()
        after_s, twice = rng.random() * command.seconds, rng.random() < 0.5
        status, said = self._interrupt(self._line(command, out), after_s, kind, twice)
        was_running = status not in (0, None)
        faults = _find_exit_faults(kind, status, said)
        faults += [f"after the kill: {fault}" for fault in check_readable(out)]
        done = self.run(command, out, again=True)
        if done.returncode != 0:
            faults.append(f"the next run exited with {done.returncode}: {done.stderr[-500:]}")
        faults += [f"after the next run: {fault}" for fault in check_readable(out)]
        left = sorted(path for path in _list_files(out) - whole.files if not _has_time(path))
        if left:
            faults.append(f"files not removed: {', '.join(left)}")
        for path in command.same:
            if read_content(out / path) != whole.contents[path]:
                faults.append(f"{path} differs from that of an uninterrupted run")
        if not faults:
            shutil.rmtree(out)
        return Kill(name, kind, round(after_s, 3), was_running, tuple(faults))

    def _interrupt(self, line: list[str], after_s: float, kind: str, twice: bool) -> tuple[int | None, str]:
        """Start a command and send it a signal; return its exit status (None if it does not end) and its output."""
        number = getattr(signal, f"SIG{kind}")
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                line, stdout=subprocess.DEVNULL, stderr=log, env=self._environment, start_new_session=True
            )
            try:
                process.wait(after_s)
            except subprocess.TimeoutExpired:
                process.send_signal(number)
                if twice:
                    time.sleep(_AGAIN_S)
                    process.send_signal(number)
            status: int | None
            try:
                status = process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = None
            log.seek(0)
            return status, log.read().decode(errors="replace")

    def _line(self, command: Command, out: Path, again: bool = False) -> list[str]:
        return command.line({**self._places, "out": str(out)}, again=again)


def _find_exit_faults(kind: str, status: int | None, said: str) -> list[str]:
    """Return the faults of a command's exit. During Python's own startup, signals have their default action."""
    unhandled = status == -getattr(signal, f"SIG{kind}") and not any(word in said for word in _OURS)
    if status is None:
        return [f"the command did not exit within {_ENDS_WITHIN_S:.0f} s: {said[-500:]}"]
    if not unhandled and ("Traceback" in said or status not in (0, SIGNALS[kind])):
        return [f"the command exited with {status}: {said[-2000:]}"]
    return []


def _list_files(folder: Path) -> frozenset[str]:
    return frozenset(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _has_time(path: str) -> bool:
    """Return whether a file name contains a time, as those of a camera and of TensorBoard do."""
    return path.startswith(("rows-", "video-")) or "tfevents" in path
