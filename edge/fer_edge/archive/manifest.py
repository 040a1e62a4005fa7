"""The list of videos of an archive, from paths, patterns and tables of paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.archive.schema import check_extra_columns
from fer_edge.errors import SourceError, reason_of
from fer_edge.runtime.tables import format_count
from fer_edge.sources.expansion import expand_videos, is_video_path
from fer_edge.sources.object_store import is_object_url, open_file_system
from fer_edge.sources.urls import is_url

__all__ = ["MANIFEST_SUFFIXES", "Manifest", "SourceJob", "read_manifest"]

MANIFEST_SUFFIXES: Final = frozenset({".txt", ".csv", ".parquet"})
"""The suffixes of files that list videos."""

_PATH: Final = "path"
_KEY_BYTES: Final = 8  # with a million sources, one archive in tens of millions has two equal keys
_GLOB: Final = frozenset("*?[")
_NOT_UTF8: Final = "file name is not UTF-8, which Parquet requires; rename the file"
_STEM: Final = 48  # most characters of the source's name in the name of its row file


@dataclass(frozen=True, slots=True)
class SourceJob:
    """One video to analyze.

    ``key`` identifies it in the archive, ``source`` is the name that the user gave, and ``address`` the absolute path
    or URL. ``extra_columns`` is a one-row ``pyarrow.Table`` with the manifest's additional columns; it may have no
    columns.
    """

    key: str
    source: str
    address: str
    extra_columns: Any

    @property
    def file(self) -> str:
        """The name of its row file in the archive.

        Files are spread over 256 folders, to limit the number of files in each.
        """
        stem = re.sub(r"[^\w.-]+", "_", Path(self.address).stem, flags=re.ASCII)[:_STEM].strip("._-")
        return f"rows/{self.key[:2]}/{stem or 'video'}-{self.key}.parquet"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The videos to analyze, without duplicates, in the given order.

    ``table`` is a ``pyarrow.Table`` with ``source``, ``address`` and the additional columns; ``keys`` are the keys of
    the sources as uint64. ``warnings`` are messages to the user; ``errors`` describe the entries that cannot be used.
    """

    table: Any
    keys: NDArray[np.uint64]
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def extra_columns(self) -> Any:
        """The ``pyarrow.Schema`` of the additional columns."""
        import pyarrow as pa

        return pa.schema(list(self.table.schema)[2:])

    def job(self, index: int) -> SourceJob:
        """Return the video in a row of the table."""
        row = self.table.slice(index, 1).take([0])  # a copy of one row, not a view of the whole table
        source, address = (row.column(name)[0].as_py() for name in ("source", "address"))
        return SourceJob(format_key(self.keys[index]), source, address, row.select(range(2, row.num_columns)))


def format_key(key: np.uint64 | int) -> str:
    """Format a key as in file names: 16 hexadecimal digits."""
    return f"{int(key):0{2 * _KEY_BYTES}x}"


def compute_key(address: str) -> int:
    """Compute the key of a source, a hash of its absolute path or URL."""
    return int.from_bytes(blake2b(address.encode("utf-8"), digest_size=_KEY_BYTES).digest(), "big")


def read_manifest(paths: Sequence[str], labels: tuple[str, ...]) -> Manifest:
    """Collect the videos of files, folders, patterns and tables.

    ``labels`` are those of the model; no column of a table may have one of these names. Raises SourceError if a table,
    folder or pattern yields no video.
    """
    import pyarrow as pa

    tables, loose, left_out = [], list[str](), list[str]()
    for path in paths:
        if Path(path).suffix.lower() in MANIFEST_SUFFIXES:
            tables.append(_read_table(path, labels))
        else:
            loose += _expand(path, left_out)
    usable = [path for path in loose if _is_utf8(path)]
    errors = tuple(f"{path}: {_NOT_UTF8}" for path in loose if not _is_utf8(path))
    if usable or not tables:
        tables.append(
            pa.table({"source": pa.array(usable, pa.string()), "address": _absolute(usable, Path.cwd())})
        )
    try:
        table = pa.concat_tables(tables, promote_options="default")
    except pa.ArrowException as error:
        raise SourceError(
            f"the manifests have columns with the same name but different types ({reason_of(error)}); "
            "use one manifest at a time"
        ) from error
    return _drop_duplicates(table.combine_chunks(), tuple(left_out), errors)


def _drop_duplicates(table: Any, warnings: tuple[str, ...], errors: tuple[str, ...]) -> Manifest:
    """Keep only the first of several rows with the same path."""
    keys = np.fromiter(
        (compute_key(address) for batch in table.to_batches() for address in batch.column(1).to_pylist()),
        np.uint64,
        table.num_rows,
    )
    _, first = np.unique(keys, return_index=True)
    twice = table.num_rows - len(first)
    if not twice:
        return Manifest(table, keys, warnings, errors)
    first.sort()
    warning = f"{format_count(twice, 'duplicate path')} ignored; only the first row of each path is used"
    return Manifest(table.take(first), keys[first], (*warnings, warning), errors)


# --------------------------------------------------------------------------- tables


def _read_table(path: str, labels: tuple[str, ...]) -> Any:
    """Read a manifest file.

    Returns a table with ``source``, ``address`` and the additional columns.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    suffix = Path(path).suffix.lower()
    try:
        with _open(path) as file:
            table = _READERS[suffix](file)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot read the manifest: {reason_of(error)}") from error
    if _PATH not in table.column_names:
        raise SourceError(
            f"{path}: the manifest has no column {_PATH!r}, only {reason_of(', '.join(table.column_names))}; "
            f"rename the column of paths to {_PATH!r}"
        )
    extra_columns = [name for name in table.column_names if name != _PATH]
    check_extra_columns(extra_columns, labels, path)
    sources = table.column(_PATH).cast(pa.string())
    named = pc.fill_null(pc.not_equal(sources, ""), False)
    table, sources = table.filter(named), sources.filter(named)
    if not table.num_rows:
        raise SourceError(f"{path}: the manifest lists no video; write one path per line or row")
    base: str | Path = path.rpartition("/")[0] if is_object_url(path) else Path(path).absolute().parent
    addresses = _absolute(sources.to_pylist(), base)
    return pa.table(
        {"source": sources, "address": addresses, **{name: table.column(name) for name in extra_columns}}
    )


def _read_text(file: Any) -> Any:
    import pyarrow as pa

    lines = file.read().decode("utf-8-sig").splitlines()
    return pa.table({_PATH: pa.array([line for line in lines if line.strip()], pa.string())})


def _read_csv(file: Any) -> Any:
    """Read all columns as strings: as a number, ``007`` would lose its zeros."""
    import pyarrow as pa
    from pyarrow import csv

    text = file.read()
    header = csv.open_csv(
        pa.BufferReader(text), csv.ReadOptions(block_size=max(1 << 20, len(text)))
    ).schema.names
    if not set(header):
        return pa.table({})
    return csv.read_csv(
        pa.BufferReader(text),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )


def _read_parquet(file: Any) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(file)


_READERS: Final = {".txt": _read_text, ".csv": _read_csv, ".parquet": _read_parquet}


def _open(path: str) -> Any:
    if is_object_url(path):
        file_system, name = open_file_system(path)
        return file_system.open_input_file(name)
    return Path(path).open("rb")


def _absolute(sources: Sequence[str], base: str | Path) -> Any:
    """Return the absolute paths and URLs of sources; relative paths start at ``base``."""
    import pyarrow as pa

    prefix = os.fspath(base)
    return pa.array((_join(prefix, source) for source in sources), pa.string())


def _join(prefix: str, source: str) -> str:
    if is_url(source):
        return source
    if is_object_url(prefix):
        return f"{prefix}/{source}"
    path = os.path.join(prefix, source)  # noqa: PTH118  (a Path takes three times as long)
    # normpath would resolve "link/.." to the wrong folder if link is a symbolic link.
    return path if ".." in source else os.path.normpath(path)


# --------------------------------------------------------------------------- files, folders, patterns


def _expand(path: str, left_out: list[str]) -> list[str]:
    """Expand a folder to its videos and a pattern to its matches; describe a folder's other files in ``left_out``."""
    if is_object_url(path):
        return _expand_object(path)
    return expand_videos([path], on_left_out=left_out.append)


def _expand_object(url: str) -> list[str]:
    """Expand a folder or pattern in an object store; folders are prefixes of names."""
    try:
        return list(_search_object(url))
    except OSError as error:
        raise SourceError(f"{url}: cannot be listed: {reason_of(error)}") from error


def _search_object(url: str) -> Iterator[str]:
    from pyarrow.fs import FileSelector

    file_system, path = open_file_system(url)
    scheme = url.partition("://")[0]
    if _GLOB & set(path):
        plain = path[: min(path.index(sign) for sign in _GLOB & set(path))]
        pattern = re.compile(translate(path))
        below = file_system.get_file_info(FileSelector(plain.rpartition("/")[0], recursive=True))
        found = sorted(info.path for info in below if info.is_file and pattern.match(info.path))
        if not found:
            raise SourceError(f"{url}: no file matches; check the pattern")
    elif is_video_path(path) or file_system.get_file_info(path).is_file:
        found = [path]
    else:
        inside = file_system.get_file_info(FileSelector(path))
        found = sorted(info.path for info in inside if info.is_file and is_video_path(info.base_name))
        if not found:
            raise SourceError(f"{url}: the folder contains no video; check its name")
    yield from (f"{scheme}://{name}" for name in found)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
