"""Runs batches of cases in a process that may die; jobs and outcomes are lines of JSON."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from fer_edge.errors import FerEdgeError
from tests.fuzz.case import Kind
from tests.fuzz.kinds import KINDS

MOST_SECONDS = 10.0
MOST_MEMORY_MB = 1000.0
_ADDRESS_SPACE = 12 << 30  # a case that needs more gets a MemoryError, which protects the machine


def main() -> None:
    """Run jobs from standard input until it ends."""
    faulthandler.enable()
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    outcomes = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # redirects the output of native code
    for line in sys.stdin:
        job = json.loads(line)
        for message in run_batch(KINDS[job["kind"]], job["seed"], range(job["first"], job["end"])):
            outcomes.write(json.dumps(message) + "\n")
            outcomes.flush()


def run_batch(kind: Kind, seed: int, places: range) -> Iterator[dict[str, Any]]:
    """Draw the batch of a seed, which is always the same, and run the selected cases."""
    drawn: list[Any] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=kind.batch,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(kind.values())
    def draw(value: Any) -> None:
        drawn.append(value)

    draw()
    for index, value in enumerate(drawn):
        if index in places:
            yield {"start": index}
            yield {"index": index, **run_case(kind, value)}
    yield {"end": len(drawn)}


def run_case(kind: Kind, value: Any) -> dict[str, Any]:
    """Run one case in an empty folder."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    before = _memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak memory
    started = time.monotonic()
    what, detail = "result", ""
    try:
        kind.run(value, folder)
    except FerEdgeError as error:
        what, detail = "error", str(error)
        if len(detail.splitlines()) != 1 or len(detail) > 2000:
            what = "traceback"
            detail = f"{type(error).__name__}, message not one short line ({len(detail)} characters): {detail[:500]!r}"
    except Exception:  # noqa: BLE001  (unexpected exceptions are failures)
        what, detail = "traceback", traceback.format_exc(limit=-12)
    seconds = time.monotonic() - started
    if what == "traceback":
        detail += f"\ninput: {repr(value)[:600]}"
    memory_mb = _memory_mb("VmHWM") - before
    if what != "traceback" and seconds > MOST_SECONDS:
        what = "slow"
    elif what != "traceback" and memory_mb > MOST_MEMORY_MB:
        what = "memory"
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "what": what,
        "detail": detail[-3000:],
        "seconds": round(seconds, 3),
        "memory_mb": round(memory_mb, 1),
    }


def _memory_mb(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


if __name__ == "__main__":
    main()
