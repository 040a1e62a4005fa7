"""Runs many cases in several workers, restarts workers that die, and counts the outcomes."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.fuzz.case import BAD, CaseName, Outcome
from tests.fuzz.kinds import KINDS

__all__ = ["Campaign", "Job", "plan", "run_one"]

_HANGS_AFTER_S = 60.0
_STARTS_WITHIN_S = 180.0  # importing TensorFlow on a busy machine


@dataclass(frozen=True, slots=True)
class Job:
    """A batch of one kind, from case ``first`` up to, but not including, ``end``."""

    kind: str
    seed: int
    first: int = 0
    end: int = 1_000_000


def plan(cases: int, seed: int, kinds: Iterable[str]) -> list[Job]:
    """Return batches for about ``cases`` cases, with all kinds mixed; the seed determines them."""
    chosen = list(kinds)
    shares = sum(KINDS[name].share for name in chosen)
    batches = [
        (number / count, name, number)
        for name in chosen
        for count in [max(1, round(cases * KINDS[name].share / shares / KINDS[name].batch))]
        for number in range(count)
    ]
    return [Job(name, 1_000_000 * seed + number) for _, name, number in sorted(batches)]


@dataclass(slots=True)
class Campaign:
    """Runs jobs; ``outcomes`` are the failures, ``counts`` the number of cases by kind and outcome."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)

    def run(self, jobs: Iterable[Job], workers: int = 2) -> Iterator[Outcome]:
        """Run the jobs; yield each failure as it occurs."""
        waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)
        found: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        threads = [threading.Thread(target=_work, args=(waiting, found), daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        running = workers
        while running:
            outcome = found.get()
            if outcome is None:
                running -= 1
                continue
            kind = outcome.case.kind
            self.counts.setdefault(kind, Counter())[outcome.what] += 1
            self.slowest[kind] = max(self.slowest.get(kind, 0.0), outcome.seconds)
            if outcome.what in BAD:
                self.outcomes.append(outcome)
                yield outcome

    def count(self, what: str) -> int:
        """Return the number of cases with this outcome."""
        return sum(counter[what] for counter in self.counts.values())


def run_one(case: CaseName) -> Outcome:
    """Run a single case again."""
    found: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
    worker = _Worker()
    try:
        worker.run(Job(case.kind, case.seed, case.index, case.index + 1), found)
    finally:
        worker.close()
    outcome = found.get(timeout=1)
    assert outcome is not None
    return outcome


def _work(waiting: queue.SimpleQueue[Job], found: queue.SimpleQueue[Outcome | None]) -> None:
    worker = _Worker()
    try:
        while True:
            job: Job | None = waiting.get(block=False)
            while job is not None:
                job = worker.run(job, found)
    except queue.Empty:
        pass
    finally:
        worker.close()
        found.put(None)


class _Worker:
    """A worker process, restarted after each death."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, job: Job, found: queue.SimpleQueue[Outcome | None]) -> Job | None:
        """Run a job; return its remaining cases if the process died."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(job)) + "\n")
        process.stdin.flush()
        started: int | None = None
        while (message := self._read(_STARTS_WITHIN_S if started is None else _HANGS_AFTER_S)) is not None:
            if "end" in message:
                return None
            if "start" in message:
                started = message["start"]
                continue
            found.put(Outcome(CaseName(job.kind, job.seed, message.pop("index")), **message))
        died = self._stop()
        if started is None:
            raise RuntimeError(f"a worker exited before the first case of {job}: {died.detail}")
        found.put(Outcome(CaseName(job.kind, job.seed, started), died.what, died.detail))
        return replace(job, first=started + 1)

    def close(self) -> None:
        """Stop the process."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()  # closing its input makes it exit
            self._stop()

    def _start(self) -> subprocess.Popen[str]:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed when the process is stopped)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
            cwd=Path(__file__).parents[2],
        )
        self._pump_thread = threading.Thread(target=_pump, args=(process, self._lines), daemon=True)
        self._pump_thread.start()
        return process

    def _read(self, timeout: float) -> dict[str, Any] | None:
        """Return the next message, or None if the process died or hangs."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            return None
        message: dict[str, Any] | None = json.loads(line) if line else None
        return message

    def _stop(self) -> Outcome:
        """Stop the process and return its last state."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            status, hangs = process.wait(0.5), False
        except subprocess.TimeoutExpired:
            process.kill()
            status, hangs = process.wait(), True
        self._pump_thread.join()
        with contextlib.suppress(OSError):
            process.stdin.close()
        self._process = None
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace")
        self._errors.close()
        what = "slow" if hangs else "crash"
        detail = f"not finished after {_HANGS_AFTER_S:g} s" if hangs else f"the process exited with {status}"
        return Outcome(CaseName("", 0, 0), what, f"{detail}\n{said[-2500:]}")


def _pump(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    """Pass on the lines of a process, then an empty one at its end."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put("")
