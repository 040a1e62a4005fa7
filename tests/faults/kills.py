"""Kills commands at random moments, and looks at what they left and at what the next run makes of it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bench.media import PORTRAIT
from tests.edge.cli.loopback_camera import loopback_camera
from tests.faults.commands import COMMANDS, Command, check_readable, prepare, read_content
from tests.faults.get_locally import slow_publisher

__all__ = ["Kill", "kill_at_random"]

_RUNS_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Kill:
    """What a kill after so many seconds led to; ``faults`` is what must not be."""

    command: str
    after_s: float
    was_running: bool
    faults: tuple[str, ...]


def kill_at_random(folder: Path, names: Iterable[str], kills: int, seed: int) -> Iterator[Kill]:
    """Kill the commands of those names, each from a fresh start, by their weights; yields what came of it."""
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
        if "convert" in chosen:
            runner.run(COMMANDS["fit"], inputs.parent / "trained")
            shutil.copytree(inputs.parent / "trained/run", inputs / "run")
        whole = {name: runner.measure(COMMANDS[name], folder / f"whole-{name}") for name in chosen}
        turns = _spread(chosen)
        for number in range(kills):
            name = turns[number % len(turns)]
            yield runner.kill(name, folder / f"{number}-{name}", rng.random(), whole[name])


def _spread(names: list[str]) -> list[str]:
    """Each name as often as its weight says, spread evenly."""
    places = [
        ((turn + 0.5) / COMMANDS[name].weight, number, name)
        for number, name in enumerate(names)
        for turn in range(COMMANDS[name].weight)
    ]
    return [name for _, _, name in sorted(places)]


@dataclass(frozen=True, slots=True)
class _Whole:
    """A run that nobody killed: its files, what those hold that have to be the same, and its time."""

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
        """What a run leaves that nobody kills."""
        done = self.run(command, out)
        assert done.returncode == 0, done.stderr
        return _Whole(_list_files(out), {name: read_content(out / name) for name in command.same})

    def kill(self, name: str, out: Path, share: float, whole: _Whole) -> Kill:
        """Kill a run after a share of its time, look at what is there, and run it again."""
        command = COMMANDS[name]
        out.mkdir()
        after_s = share * command.seconds
        process = subprocess.Popen(
            self._line(command, out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment,
        )
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        was_running = process.returncode < 0
        faults = [f"after the kill: {fault}" for fault in check_readable(out)]
        done = self.run(command, out, again=True)
        if done.returncode != 0:
            faults.append(f"the next run left with {done.returncode}: {done.stderr[-500:]}")
        faults += [f"after the next run: {fault}" for fault in check_readable(out)]
        left = sorted(path for path in _list_files(out) - whole.files if not _has_time(path))
        if left:
            faults.append(f"left over: {', '.join(left)}")
        for path in command.same:
            if read_content(out / path) != whole.contents[path]:
                faults.append(f"{path} is not as it would have been")
        if not faults:
            shutil.rmtree(out)
        return Kill(name, round(after_s, 3), was_running, tuple(faults))

    def _line(self, command: Command, out: Path, again: bool = False) -> list[str]:
        return command.line({**self._places, "out": str(out)}, again=again)


def _list_files(folder: Path) -> frozenset[str]:
    return frozenset(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _has_time(path: str) -> bool:
    """Whether a name is that of a camera's file, which is another one each second, or of TensorBoard's."""
    return path.startswith(("rows-", "video-")) or "tfevents" in path
