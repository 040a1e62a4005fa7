"""The scheduler of a run, which submits tasks to Ray and collects their outcomes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from fer_edge.archive.cluster import RETRIES, describe_task_failure
from fer_edge.archive.manifest import SourceJob
from fer_edge.archive.sections import Section
from fer_edge.archive.summary import FatalError, Outcome, SectionPlan, SectionSummary, SourceSummary
from fer_edge.archive.tasks import TaskContext, run_join, run_section, run_source
from fer_edge.errors import ClusterError
from fer_edge.runtime.shutdown import raise_if_interrupted

__all__ = ["Scheduler"]

_POLL_S: Final = 0.5
_CAPACITY_S: Final = 10.0  # between two queries of the number of CPUs
_AHEAD: Final = 2  # tasks submitted per CPU


@dataclass(slots=True)
class _Parts:
    """A long video whose sections are being analyzed."""

    job: SourceJob
    sections: tuple[Section, ...]
    done: dict[int, SectionSummary]
    errors: list[str] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        return len(self.done) + len(self.errors) == len(self.sections)


@dataclass(frozen=True, slots=True)
class _Task:
    """A function call to submit to Ray; ``section`` is set if it analyzes a section."""

    function: Callable[..., Outcome]
    job: SourceJob
    section: Section | None = None
    sections: tuple[Section, ...] = ()


class Scheduler:
    """Runs all jobs of a manifest.

    Ray places them, and restarts those whose worker was lost. ``most`` is the number of tasks submitted at a time;
    None submits two tasks per CPU of the cluster, one of which waits.
    """

    def __init__(self, ray: Any, context: TaskContext, jobs: Iterator[SourceJob], most: int | None) -> None:
        self._ray, self._jobs, self._most = ray, jobs, most
        self._context = ray.put(context)
        self._waiting: deque[_Task] = deque()
        self._running: dict[Any, _Task] = {}
        self._parts: dict[str, _Parts] = {}
        self._remotes = {
            function: ray.remote(num_cpus=1, max_retries=RETRIES)(function)
            for function in (run_source, run_section, run_join)
        }
        self._capacity, self._capacity_checked = 1, float("-inf")

    @property
    def partly_done(self) -> float:
        """The finished fraction of all partly analyzed sources, in sources."""
        return sum(len(parts.done) / len(parts.sections) for parts in self._parts.values())

    def run(self) -> Iterator[SourceSummary | SectionSummary | None]:
        """Yield each finished source and section, and None periodically.

        Raises FerEdgeError if the run cannot continue.
        """
        while True:
            self._submit()
            if not self._running:
                return
            done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=_POLL_S)
            raise_if_interrupted()  # ray.wait may swallow the interrupt
            yield None
            for reference in done:
                task = self._running.pop(reference)
                yield from self._take(task, self._fetch(reference, task))

    def _submit(self) -> None:
        """Submit tasks up to the limit; sections and joins come before further sources."""
        while len(self._running) < self._room():
            if self._waiting:
                task = self._waiting.popleft()
            else:
                job = next(self._jobs, None)
                if job is None:
                    return
                task = _Task(run_source, job)
            arguments = [argument for argument in (task.section, task.sections) if argument]
            reference = self._remotes[task.function].remote(self._context, task.job, *arguments)
            self._running[reference] = task

    def _room(self) -> int:
        if self._most is not None:
            return self._most
        if time.monotonic() > self._capacity_checked + _CAPACITY_S:
            self._capacity_checked = time.monotonic()
            self._capacity = max(1, int(self._ray.cluster_resources().get("CPU", 0)))
        return _AHEAD * self._capacity

    def _fetch(self, reference: Any, task: _Task) -> Outcome:
        """Return the outcome of a task, or the outcome that describes its failure."""
        try:
            outcome: Outcome = self._ray.get(reference)
        except Exception as error:  # noqa: BLE001  (an unexpected error in a worker must not end the run)
            raise_if_interrupted()
            message, fatal = describe_task_failure(error)
            if fatal:
                return FatalError(ClusterError(message))
            return SourceSummary.failure(task.job, f"{task.job.source}: {message}")
        return outcome

    def _take(self, task: _Task, outcome: Outcome) -> Iterator[SourceSummary | SectionSummary]:
        if isinstance(outcome, FatalError):
            raise outcome.error
        if isinstance(outcome, SectionPlan):
            yield from self._divide(task.job, outcome)
            return
        if task.section is None:
            if isinstance(outcome, SourceSummary):
                yield outcome
            return
        parts = self._parts[task.job.key]
        if isinstance(outcome, SectionSummary):
            parts.done[task.section.number] = outcome
            yield outcome
        else:
            parts.errors.append(outcome.error or "")
        yield from self._finish(parts)

    def _divide(self, job: SourceJob, plan: SectionPlan) -> Iterator[SourceSummary]:
        parts = self._parts[job.key] = _Parts(job, plan.sections, dict(plan.done))
        for section in plan.sections:
            if section.number not in plan.done:
                self._waiting.append(_Task(run_section, job, section))
        yield from self._finish(parts)  # an earlier run may have finished all sections

    def _finish(self, parts: _Parts) -> Iterator[SourceSummary]:
        """Join a long video when all its sections are finished.

        If one failed, the source failed.
        """
        if not parts.is_finished:
            return
        del self._parts[parts.job.key]
        if parts.errors:
            yield SourceSummary.failure(parts.job, parts.errors[0])
        else:
            self._waiting.appendleft(_Task(run_join, parts.job, sections=parts.sections))
