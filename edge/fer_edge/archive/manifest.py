"""Which videos there are: files, folders, patterns, and tables of paths with columns to carry along."""

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

from fer_edge.archive.schema import check_carried
from fer_edge.errors import SourceError, reason_of
from fer_edge.runtime.tables import counted
from fer_edge.sources.expansion import expand_videos, is_video_path
from fer_edge.sources.object_store import file_system_of, is_object_url
from fer_edge.sources.urls import is_url

__all__ = ["MANIFEST_SUFFIXES", "Manifest", "SourceJob", "read_manifest"]

MANIFEST_SUFFIXES: Final = frozenset({".txt", ".csv", ".parquet"})
"""Files that list videos."""

_PATH: Final = "path"
_KEY_BYTES: Final = 8  # among a million sources two have the same key once in ten million archives
_GLOB: Final = frozenset("*?[")
_NOT_UTF8: Final = "its name is not UTF-8, which Parquet requires; rename it"
_STEM: Final = 48  # characters of a source's name in its file's


@dataclass(frozen=True, slots=True)
class SourceJob:
    """One video: as the user named it, its absolute path or URL, and its row of the manifest's columns.

    ``key`` identifies it in the archive. ``carried`` is a ``pyarrow.Table`` of one row, which may have no column.
    """

    key: str
    source: str
    address: str
    carried: Any

    @property
    def file(self) -> str:
        """The name of its rows' file in the archive; 256 folders, so that none has too many files."""
        stem = re.sub(r"[^\w.-]+", "_", Path(self.address).stem, flags=re.ASCII)[:_STEM].strip("._-")
        return f"rows/{self.key[:2]}/{stem or 'video'}-{self.key}.parquet"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The videos, each once, in the order in which they were named.

    ``table`` is a ``pyarrow.Table`` with ``source``, ``address`` and the carried columns; ``keys`` are the sources'
    keys as numbers, uint64. ``warnings`` say what is odd, ``errors`` which entries cannot be used.
    """

    table: Any
    keys: NDArray[np.uint64]
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def carried(self) -> Any:
        """The ``pyarrow.Schema`` of the columns to carry."""
        import pyarrow as pa

        return pa.schema(list(self.table.schema)[2:])

    def job(self, index: int) -> SourceJob:
        """The video of a row."""
        row = self.table.slice(index, 1).take([0])  # a copy of one row, not a view of all
        source, address = (row.column(name)[0].as_py() for name in ("source", "address"))
        return SourceJob(format_key(self.keys[index]), source, address, row.select(range(2, row.num_columns)))


def format_key(key: np.uint64 | int) -> str:
    """A key as it stands in names."""
    return f"{int(key):0{2 * _KEY_BYTES}x}"


def compute_key(address: str) -> int:
    """A source's key: a hash of its absolute path or URL."""
    return int.from_bytes(blake2b(address.encode("utf-8"), digest_size=_KEY_BYTES).digest(), "big")


def read_manifest(paths: Sequence[str], labels: tuple[str, ...]) -> Manifest:
    """Gather the videos that paths name; ``labels`` are the model's, whose names no column may have.

    Raises SourceError where a manifest, a folder or a pattern gives nothing.
    """
    import pyarrow as pa

    tables, loose = [], list[str]()
    for path in paths:
        if Path(path).suffix.lower() in MANIFEST_SUFFIXES:
            tables.append(_read_table(path, labels))
        else:
            loose += _expand(path)
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
            f"the manifests have columns of the same name and different types ({reason_of(error)}); "
            "give one of them at a time"
        ) from error
    return _drop_duplicates(table.combine_chunks(), errors)


def _drop_duplicates(table: Any, errors: tuple[str, ...]) -> Manifest:
    """Keep the first of several rows with the same path."""
    keys = np.fromiter(
        (compute_key(address) for batch in table.to_batches() for address in batch.column(1).to_pylist()),
        np.uint64,
        table.num_rows,
    )
    _, first = np.unique(keys, return_index=True)
    twice = table.num_rows - len(first)
    if not twice:
        return Manifest(table, keys, (), errors)
    first.sort()
    warning = f"{counted(twice, 'path')} named more than once; the first of each is used, with its columns"
    return Manifest(table.take(first), keys[first], (warning,), errors)


# --------------------------------------------------------------------------- tables


def _read_table(path: str, labels: tuple[str, ...]) -> Any:
    """Read a manifest: a table with ``source``, ``address`` and the columns to carry."""
    import pyarrow as pa
    import pyarrow.compute as pc

    suffix = Path(path).suffix.lower()
    try:
        with _open(path) as file:
            table = _READERS[suffix](file)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: the manifest cannot be read: {reason_of(error)}") from error
    if _PATH not in table.column_names:
        raise SourceError(
            f"{path}: the manifest has no column {_PATH!r}, only {reason_of(', '.join(table.column_names))}; "
            f"rename the one with the paths to {_PATH!r}"
        )
    carried = [name for name in table.column_names if name != _PATH]
    check_carried(carried, labels, path)
    sources = table.column(_PATH).cast(pa.string())
    named = pc.fill_null(pc.not_equal(sources, ""), False)
    table, sources = table.filter(named), sources.filter(named)
    if not table.num_rows:
        raise SourceError(f"{path}: the manifest names no video; give it one path in each line or row")
    base: str | Path = path.rpartition("/")[0] if is_object_url(path) else Path(path).absolute().parent
    addresses = _absolute(sources.to_pylist(), base)
    return pa.table(
        {"source": sources, "address": addresses, **{name: table.column(name) for name in carried}}
    )


def _read_text(file: Any) -> Any:
    import pyarrow as pa

    lines = file.read().decode("utf-8-sig").splitlines()
    return pa.table({_PATH: pa.array([line for line in lines if line.strip()], pa.string())})


def _read_csv(file: Any) -> Any:
    """Read a table of texts: numbers would lose the zeros of ``007``."""
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
        file_system, name = file_system_of(path)
        return file_system.open_input_file(name)
    return Path(path).open("rb")


def _absolute(sources: Sequence[str], base: str | Path) -> Any:
    """The absolute paths and URLs of sources, an array: those that are relative begin at ``base``."""
    import pyarrow as pa

    prefix = os.fspath(base)
    return pa.array((_join(prefix, source) for source in sources), pa.string())


def _join(prefix: str, source: str) -> str:
    if is_url(source):
        return source
    if is_object_url(prefix):
        return f"{prefix}/{source}"
    path = os.path.join(prefix, source)  # noqa: PTH118  (a Path takes three times as long)
    # The folder above one that is a link is not the one that its name says.
    return path if ".." in source else os.path.normpath(path)


# --------------------------------------------------------------------------- files, folders, patterns


def _expand(path: str) -> list[str]:
    """Replace a folder by its videos and a pattern by what it matches."""
    if is_object_url(path):
        return _expand_object(path)
    return expand_videos([path])


def _expand_object(url: str) -> list[str]:
    """Do so in an object store, whose folders are what names have in common."""
    try:
        return list(_search_object(url))
    except OSError as error:
        raise SourceError(f"{url}: it cannot be listed: {reason_of(error)}") from error


def _search_object(url: str) -> Iterator[str]:
    from pyarrow.fs import FileSelector

    file_system, path = file_system_of(url)
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
            raise SourceError(f"{url}: no video in this folder; check its name")
    yield from (f"{scheme}://{name}" for name in found)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
