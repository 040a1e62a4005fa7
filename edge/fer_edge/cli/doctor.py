"""Implementation of ``doctor``: print the findings with their remedies."""

from __future__ import annotations

import json
from collections import Counter
from typing import Final

import click

from fer_edge._version import __version__
from fer_edge.doctor import Finding, examine
from fer_edge.errors import one_line
from fer_edge.runtime.native_stderr import suppress_native_stderr
from fer_edge.runtime.tables import format_count
from fer_edge.sinks.mqtt.address import TlsFiles

__all__ = ["run_doctor"]

_SIGNS: Final = {"green": ("ok", "green"), "amber": ("note", "yellow"), "red": ("FAULT", "red")}
_WIDTH: Final = 16


def run_doctor(*, as_json: bool, broker: str | None, files: TlsFiles) -> None:
    """Examine the machine and print the findings; exit with status 1 if any is red.

    If given, ``broker`` is the URL of an MQTT broker to connect to, and ``files`` are its TLS files.
    """
    findings = []
    with suppress_native_stderr():
        for finding in examine(broker, files):
            findings.append(finding)
            if not as_json:
                _show(finding)
    counts = Counter(finding.status for finding in findings)
    if as_json:
        click.echo(json.dumps(_as_record(findings), indent=2, ensure_ascii=False))
    elif counts["red"]:
        click.echo(f"\n{format_count(counts['red'], 'problem')} found; see the remedies above.")
    else:
        click.echo(
            f"\nfer-edge works here{'; the notes concern optional features' if counts['amber'] else ''}."
        )
    if counts["red"]:
        click.get_current_context().exit(1)


def _show(finding: Finding) -> None:
    sign, color = _SIGNS[finding.status]
    click.echo(
        f"{click.style(f'{sign:5}', fg=color)} {one_line(finding.name):{_WIDTH}} {one_line(finding.found)}"
    )
    if finding.remedy:
        click.echo(f"{'':6}{'':{_WIDTH}} → {one_line(finding.remedy)}")


def _as_record(findings: list[Finding]) -> dict[str, object]:
    worst = max((("green", "amber", "red").index(finding.status) for finding in findings), default=0)
    return {
        "version": __version__,
        "status": ("green", "amber", "red")[worst],
        "checks": [
            {
                "name": finding.name,
                "status": finding.status,
                "found": finding.found,
                "remedy": finding.remedy or None,
            }
            for finding in findings
        ],
    }
