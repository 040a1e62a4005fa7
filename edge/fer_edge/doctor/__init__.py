"""Checks for problems on this machine that keep fer-edge from working."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from fer_edge.doctor.broker import check_broker
from fer_edge.doctor.finding import Finding
from fer_edge.doctor.hardware import check_board, check_cameras, check_display, check_processor
from fer_edge.doctor.models import check_detectors, check_models
from fer_edge.doctor.places import check_memory, check_places
from fer_edge.doctor.software import check_opencv, check_packages, check_python, check_video
from fer_edge.runtime.shutdown import raise_if_interrupted
from fer_edge.sinks.mqtt.address import TlsFiles

__all__ = ["CHECKS", "Finding", "examine"]

CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_python,
    check_packages,
    check_opencv,
    check_video,
    check_models,
    check_detectors,
    check_processor,
    check_board,
    check_memory,
    check_places,
    check_display,
    check_cameras,
)


def examine(broker: str | None = None, files: TlsFiles | None = None) -> Iterator[Finding]:
    """Run all checks and yield their findings.

    A check that raises is itself a finding. If given, ``broker`` is the URL of an MQTT broker to connect to, and
    ``files`` are its TLS files.
    """
    broker_checks = () if broker is None else (partial(check_broker, broker, files),)
    for check in (*CHECKS, *broker_checks):
        raise_if_interrupted()  # an imported library may have replaced the exception of a signal
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001  (a broken installation may raise anything)
            raise_if_interrupted()
            name = getattr(check, "__name__", "check_broker").removeprefix("check_").replace("_", " ")
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            yield Finding("red", name, f"the check failed: {reason}", "report this")
