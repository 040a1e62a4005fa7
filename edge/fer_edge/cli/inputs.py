"""The inputs of a command: convert paths, folders, patterns and URLs to sources."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_edge.cli.messages import say
from fer_edge.cli.progress import SkippingBar
from fer_edge.errors import UsageError
from fer_edge.runtime.paths import expand_paths
from fer_edge.sources.base import WHOLE, Source, Span
from fer_edge.sources.expansion import expand_videos
from fer_edge.sources.registry import create_source
from fer_edge.sources.sequence import SourceSequence
from fer_edge.sources.urls import is_url

__all__ = [
    "Inputs",
    "expand_images",
    "expand_videos",
    "open_camera",
    "open_folder",
    "open_images",
    "open_videos",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A source and the files it reads.

    ``files`` are the input paths, which outputs must not overwrite; ``root`` is the folder that the user named, if
    any.
    """

    source: Source
    files: tuple[str, ...] = ()
    root: Path | None = None


def open_camera(
    address: str,
    *,
    size: tuple[int, int] | None = None,
    rate: float | None = None,
    rotate: int = 0,
    reconnect_s: float | None = None,
) -> Inputs:
    """Create the source of a camera.

    Raises UsageError for options that do not apply to it.
    """
    if is_url(address) and (size is not None or rate is not None):
        raise UsageError(
            "--size and --rate apply only to local cameras; configure the network camera itself, or use the URL of a "
            "smaller stream"
        )
    source = create_source("camera", address, size=size, rate=rate, rotate=rotate, reconnect_s=reconnect_s)
    return Inputs(source=source)


def open_images(paths: Sequence[str]) -> Inputs:
    """Create the source of images given as files, folders and patterns; an image given twice is read once."""
    files = tuple(dict.fromkeys(expand_images(paths)))
    return Inputs(source=create_source("images", *files), files=files)


def open_folder(directory: str, *, recursive: bool, output: str | None) -> Inputs:
    """Create the source of the images in a folder.

    Leaves out the images in ``output``, which are annotated copies of an earlier run.
    """
    from fer_edge.sources.images import ImageSource, search_images

    exclude = None if output is None else Path(output)
    found = search_images(directory, recursive=recursive, exclude=exclude)
    if (left_out := found.describe_left_out()) is not None:
        say(left_out)
    files = tuple(map(os.fspath, found.paths))
    return Inputs(source=ImageSource(files, directory), files=files, root=Path(directory))


def open_videos(addresses: Sequence[str], *, span: Span = WHOLE, resumable: bool = False) -> Inputs:
    """Create the source of one or more videos, read one after the other.

    Reads ``span`` of each. ``resumable`` treats a single video like several: its end is reported, and its error does
    not end the run.
    """
    files = tuple(addresses)

    def create(address: str) -> Source:
        return create_source("video", address, span=span, on_skipped=SkippingBar(span.start_s))

    if len(files) == 1 and not resumable:
        return Inputs(source=create(files[0]), files=files)
    return Inputs(source=SourceSequence(files, create), files=files)


def expand_images(paths: Sequence[str]) -> list[str]:
    """Expand folders to their images, and patterns that the shell did not expand."""
    from fer_edge.sources.images import find_images

    return expand_paths(paths, lambda folder: map(os.fspath, find_images(folder)), keep=is_url)
