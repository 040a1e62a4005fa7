"""Implementation of ``get``: download the model of a face detector."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

import click

from fer_edge.cli.progress import progress_bar
from fer_edge.errors import UsageError, one_line
from fer_edge.models.detector_files import DETECTOR_FILES, DetectorFile, find_detectors_folder
from fer_edge.models.download import Download, download_detector
from fer_edge.runtime.native_stderr import suppress_native_stderr

__all__ = ["get_detector"]

_BAR_DELAY_S: Final = 0.5  # shorter downloads show no progress bar


def get_detector(name: str, publishers: Mapping[str, DetectorFile] = DETECTOR_FILES) -> None:
    """Download the model of a detector and print its path and license."""
    if name not in publishers:
        raise UsageError(f"unknown detector {name!r}; choose one of: {', '.join(publishers)}")
    file = publishers[name]
    bar = progress_bar(None, unit="B", unit_scale=True, desc=name, leave=False, delay=_BAR_DELAY_S)
    with suppress_native_stderr(), closing(bar):
        download = download_detector(
            file, find_detectors_folder(), on_progress=lambda *counts: _show(bar, *counts)
        )
    for line in _describe(file, download):
        click.echo(line)


def _show(bar: Any, received: int, total: int | None) -> None:
    bar.total = total
    bar.update(received - bar.n)


def _describe(file: DetectorFile, download: Download) -> list[str]:
    how = "downloaded" if download.downloaded else "already downloaded"
    if download.replaced is not None:
        how = "replaced existing file"
    lines = [
        one_line(f"{file.detector}: {how}: {download.path}"),
        f"{download.size:,} bytes, sha256 {download.sha256}, license {file.licence}",
    ]
    if file.sha256 is None:
        lines.append(
            "The publisher does not state a hash; only the format and the model's input were checked."
        )
    if file.notice:
        lines.append(file.notice)
    return [*lines, f"To use it: fer-edge camera --detector {file.detector}"]
