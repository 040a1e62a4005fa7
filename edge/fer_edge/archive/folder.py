"""The folder of an archive: its identity, its row files and the table of sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.archive.manifest import compute_key
from fer_edge.archive.options import Identity
from fer_edge.archive.schema import (
    IDENTITY_FILE,
    METADATA_KEY,
    ROWS_FOLDER,
    SOURCES_FILE,
    build_sources_schema,
)
from fer_edge.archive.storage import Storage
from fer_edge.archive.summary import SourceSummary, parse_source_summary
from fer_edge.archive.tasks import read_metadata
from fer_edge.errors import OutputError, reason_of
from fer_edge.runtime.locks import lock_folder
from fer_edge.sources.object_store import is_object_url

__all__ = ["ArchiveFolder", "SourceTable"]

_SECTIONS_FOLDER: Final = "_sections"
_KEY_DIGITS: Final = 16
_SUFFIX: Final = ".parquet"


@dataclass(frozen=True, slots=True)
class ArchiveFolder:
    """The folder of an archive.

    Raises OutputError if it contains anything else or cannot be written.
    """

    storage: Storage

    def prepare(self, identity: Identity, *, overwrite: bool) -> None:
        """Create an archive, or resume one with the same identity.

        ``overwrite`` starts over. Removes the partial files of killed processes.
        """
        present = self.read_identity()
        if present is None:
            self._check_empty()
        elif overwrite:
            for name in (ROWS_FOLDER, _SECTIONS_FOLDER):
                self.storage.remove_folder(name)
            for name in (SOURCES_FILE, IDENTITY_FILE):
                self.storage.remove_file(name)
        else:
            difference = present.find_difference(identity)
            if difference is not None:
                raise OutputError(
                    f"{self.storage.root}: the archive was created with {difference}; use the same options or another "
                    "folder",
                    hint="or start over with --overwrite",
                )
            self.storage.remove_partial_files()
            return
        self.storage.write(IDENTITY_FILE, identity.format())

    def read_identity(self) -> Identity | None:
        """Read the identity of the archive; None if there is no archive.

        Raises OutputError if the description of the archive cannot be read.
        """
        try:
            return Identity.parse(self.storage.read(IDENTITY_FILE))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            reason = reason_of(error)
            raise OutputError(
                f"{self.storage.address(IDENTITY_FILE)}: not the description of an archive ({reason}); "
                "use another folder"
            ) from error

    def _check_empty(self) -> None:
        """Raise OutputError if the folder is not empty."""
        if self.storage.is_local and Path(self.storage.root).is_file():
            raise OutputError(f"{self.storage.root}: this is a file; use a folder")
        names = [*self.storage.list_folders(), *self.storage.list_files()]
        if names:
            raise OutputError(
                f"{self.storage.root}: not an archive, but contains {names[0]}; use a new or empty folder"
            )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock a local folder against other programs until the block ends."""
        with lock_folder(Path(self.storage.root)) if self.storage.is_local else nullcontext():
            yield

    def list_rows(self) -> dict[int, str]:
        """Return the row files of complete sources, by the key of the source."""
        files = {}
        for shard in self.storage.list_folders(ROWS_FOLDER):
            for name in self.storage.list_files(f"{ROWS_FOLDER}/{shard}"):
                with suppress(ValueError):
                    key = int(name.removesuffix(_SUFFIX)[-_KEY_DIGITS:], 16)
                    files[key] = f"{ROWS_FOLDER}/{shard}/{name}"
        return files


@dataclass(slots=True)
class SourceTable:
    """The table of sources: the rows of earlier runs and of this run."""

    folder: ArchiveFolder
    extra_columns: Any
    table: Any = None
    _keys: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    _new: dict[int, tuple[dict[str, Any], Any]] = field(default_factory=dict)

    def load(self) -> set[int]:
        """Read the table and return the keys of the sources that are already done.

        Sources that finished after the table was last written are added from their files. Sources whose files no
        longer exist are not done.
        """
        import pyarrow.parquet as pq

        storage, schema = self.folder.storage, build_sources_schema(self.extra_columns)
        self.table = schema.empty_table()
        files = self.folder.list_rows()
        if storage.is_file(SOURCES_FILE):
            file_system, path = storage.open(SOURCES_FILE)
            self.table = pq.read_table(path, filesystem=file_system).select(schema.names).cast(schema)
        self._keys = np.fromiter(
            (compute_key(address) for address in self.table.column("address").to_pylist()),
            np.uint64,
            self.table.num_rows,
        )
        done = self._select_done(files)
        known = set(self._keys.tolist())
        for key, name in files.items():
            if key not in known:
                self._add_from_file(key, name)
                done.add(key)
        return done

    def _select_done(self, files: dict[int, str]) -> set[int]:
        statuses = self.table.column("status").to_pylist()
        addresses = self.table.column("address").to_pylist()
        return {
            key
            for key, status, address in zip(self._keys.tolist(), statuses, addresses, strict=True)
            # A damaged remote video may have been cut off by the network, so it is tried again.
            if key in files and (status == "complete" or (status == "damaged" and not is_object_url(address)))
        }

    def _add_from_file(self, key: int, name: str) -> None:
        import pyarrow.parquet as pq

        storage = self.folder.storage
        try:
            summary = parse_source_summary(read_metadata(storage, name))
        except (ValueError, OSError) as error:
            raise OutputError(
                f"{storage.address(name)}: not a file of this archive ({error}); remove it"
            ) from error
        file_system, path = storage.open(name)
        with pq.ParquetFile(path, filesystem=file_system) as file:
            batch = next(file.iter_batches(1, columns=self.extra_columns.names))
        self._new[key] = (summary.as_row(), batch)

    def add(self, summary: SourceSummary, extra_columns: Any) -> None:
        """Add or replace the row of a source.

        ``extra_columns`` is a table with its manifest row.
        """
        self._new[int(summary.key, 16)] = (summary.as_row(), extra_columns)

    def write(self) -> None:
        """Write the current table."""
        import pyarrow.parquet as pq

        self._merge()
        identity = self.folder.read_identity()
        metadata = {} if identity is None else {METADATA_KEY: identity.format()}
        with self.folder.storage.stage(SOURCES_FILE) as path:
            pq.write_table(self.table.replace_schema_metadata(metadata), path, compression="zstd")

    def _merge(self) -> None:
        import pyarrow as pa

        if not self._new:
            return
        schema = build_sources_schema(self.extra_columns)
        own = pa.schema(list(schema)[: len(schema) - len(self.extra_columns)])
        added = pa.Table.from_pylist([row for row, _ in self._new.values()], schema=own)
        for name in self.extra_columns.names:
            values = [extra_columns.column(name)[0] for _, extra_columns in self._new.values()]
            added = added.append_column(
                self.extra_columns.field(name),
                pa.array([value.as_py() for value in values], self.extra_columns.field(name).type),
            )
        new = np.fromiter(self._new, np.uint64, len(self._new))
        kept = np.flatnonzero(~np.isin(self._keys, new))
        self.table = pa.concat_tables([self.table.take(kept), added.cast(schema)])
        self._keys = np.concatenate([self._keys[kept], new])
        self._new = {}

    def select(self, keys: Sequence[int] | NDArray[np.uint64]) -> Any:
        """Return the rows of some sources as a ``pyarrow.Table``."""
        self._merge()
        return self.table.take(np.flatnonzero(np.isin(self._keys, np.asarray(keys, np.uint64))))
