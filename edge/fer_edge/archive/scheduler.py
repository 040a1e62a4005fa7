"""Gives Ray the tasks of a run, a few more than it has processors for, and takes what comes of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from fer_edge.archive.cluster import RETRIES, describe_task_failure
from fer_edge.archive.manifest import SourceJob
from fer_edge.archive.sections import Section
from fer_edge.archive.summary import Division, Fatal, Outcome, SectionSummary, SourceSummary
from fer_edge.archive.tasks import TaskContext, run_join, run_section, run_source
from fer_edge.errors import ClusterError
from fer_edge.runtime.shutdown import raise_if_interrupted

__all__ = ["Scheduler"]

_POLL_S: Final = 0.5
_CAPACITY_S: Final = 10.0  # between two looks at how many processors there are
_AHEAD: Final = 2  # tasks for each processor


@dataclass(slots=True)
class _Parts:
    """A long video under way."""

    job: SourceJob
    sections: tuple[Section, ...]
    done: dict[int, SectionSummary]
    errors: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return len(self.done) + len(self.errors) == len(self.sections)


@dataclass(frozen=True, slots=True)
class _Task:
    """A call that Ray is given; ``section`` where it is one."""

    function: Callable[..., Outcome]
    job: SourceJob
    section: Section | None = None
    sections: tuple[Section, ...] = ()


class Scheduler:
    """Runs the jobs of a manifest to their end; Ray places them, and starts those again whose worker was lost.

    ``most``: tasks at a time, None: as many as the cluster has processors, and as many more that wait.
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
        self._capacity, self._looked = 1, float("-inf")

    @property
    def partly_done(self) -> float:
        """How many sources the finished sections of unfinished ones come to."""
        return sum(len(parts.done) / len(parts.sections) for parts in self._parts.values())

    def run(self) -> Iterator[SourceSummary | SectionSummary | None]:
        """Yield each source that is over, each section on the way, and now and then None.

        Raises a FerEdgeError where the run cannot go on.
        """
        while True:
            self._submit()
            if not self._running:
                return
            done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=_POLL_S)
            raise_if_interrupted()  # Ray's own waiting may swallow it
            yield None
            for reference in done:
                task = self._running.pop(reference)
                yield from self._take(task, self._fetch(reference, task))

    def _submit(self) -> None:
        """Give Ray what it has room for; sections and joins come before further sources."""
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
        if time.monotonic() > self._looked + _CAPACITY_S:
            self._looked = time.monotonic()
            self._capacity = max(1, int(self._ray.cluster_resources().get("CPU", 0)))
        return _AHEAD * self._capacity

    def _fetch(self, reference: Any, task: _Task) -> Outcome:
        """What a task returned, or what its failure comes to."""
        try:
            outcome: Outcome = self._ray.get(reference)
        except Exception as error:  # noqa: BLE001  (whatever a library does in a worker must not end the run)
            raise_if_interrupted()
            message, fatal = describe_task_failure(error)
            if fatal:
                return Fatal(ClusterError, message)
            return SourceSummary.failure(task.job, f"{task.job.source}: {message}")
        return outcome

    def _take(self, task: _Task, outcome: Outcome) -> Iterator[SourceSummary | SectionSummary]:
        if isinstance(outcome, Fatal):
            raise outcome.kind(outcome.message)
        if isinstance(outcome, Division):
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

    def _divide(self, job: SourceJob, division: Division) -> Iterator[SourceSummary]:
        parts = self._parts[job.key] = _Parts(job, division.sections, dict(division.done))
        for section in division.sections:
            if section.number not in division.done:
                self._waiting.append(_Task(run_section, job, section))
        yield from self._finish(parts)  # all of it may have been done before

    def _finish(self, parts: _Parts) -> Iterator[SourceSummary]:
        """Join a long video whose sections are all done; where one failed, the source has."""
        if not parts.is_over:
            return
        del self._parts[parts.job.key]
        if parts.errors:
            yield SourceSummary.failure(parts.job, parts.errors[0])
        else:
            self._waiting.appendleft(_Task(run_join, parts.job, sections=parts.sections))
