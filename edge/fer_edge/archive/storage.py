"""Local folders and object stores, with the operations that an archive needs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from fer_edge.errors import OutputError, UsageError
from fer_edge.runtime.atomic_files import convert_errors_to_output_error, staged_file
from fer_edge.sources.object_store import is_object_url, open_file_system
from fer_edge.sources.urls import is_url

__all__ = ["Storage"]


@dataclass(frozen=True, slots=True)
class Storage:
    """A folder, given as an absolute local path or the URL of an object store.

    Names of files in it use ``/``. Small and picklable: each worker opens its own. Every file is complete when it
    appears. Raises OutputError if something cannot be written.
    """

    root: str

    @classmethod
    def of(cls, address: str) -> Self:
        """Create the storage of a path or URL; raises UsageError for an unsupported URL."""
        if is_object_url(address):
            return cls(address.rstrip("/"))
        if is_url(address):
            raise UsageError(f"{address}: unsupported kind of URL; use a folder, s3://… or gs://…")
        return cls(str(Path(address).absolute()))

    @property
    def is_local(self) -> bool:
        """Whether it is a local path, which may be shared with other nodes."""
        return not is_object_url(self.root)

    def address(self, name: str) -> str:
        """Return the path or URL of a file in the folder."""
        return f"{self.root}/{name}" if name else self.root

    def open(self, name: str) -> tuple[Any, str]:
        """Return the ``pyarrow.fs.FileSystem`` of a file and the path of the file in it."""
        if self.is_local:
            from pyarrow.fs import LocalFileSystem

            return LocalFileSystem(), self.address(name)
        return open_file_system(self.address(name))

    def list_files(self, folder: str = "") -> Iterator[str]:
        """Yield the names of the files directly in a folder; nothing if it does not exist."""
        if self.is_local:
            try:
                with os.scandir(self.address(folder)) as entries:
                    for entry in entries:
                        if not entry.name.startswith(".") and entry.is_file():
                            yield entry.name
            except FileNotFoundError:
                return
            return
        yield from (info.base_name for info in self._list(folder) if info.is_file)

    def list_folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders directly in a folder, sorted."""
        if self.is_local:
            path = Path(self.address(folder))
            return sorted(entry.name for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []
        return sorted(info.base_name for info in self._list(folder) if not info.is_file)

    def _list(self, folder: str) -> list[Any]:
        from pyarrow.fs import FileSelector

        file_system, path = self.open(folder)
        found: list[Any] = file_system.get_file_info(FileSelector(path, allow_not_found=True))
        return found

    def is_file(self, name: str) -> bool:
        """Return whether a file exists."""
        file_system, path = self.open(name)
        return bool(file_system.get_file_info(path).is_file)

    def read(self, name: str) -> bytes:
        """Return the content of a small file; raises OSError."""
        file_system, path = self.open(name)
        with file_system.open_input_stream(path) as file:
            content: bytes = file.read()
            return content

    def write(self, name: str, content: bytes) -> None:
        """Write a small file."""
        with self.stage(name) as part:
            part.write_bytes(content)

    @contextmanager
    def stage(self, name: str) -> Iterator[Path]:
        """Yield a temporary local path; move the file to ``name`` when the block succeeds."""
        if self.is_local:
            target = Path(self.address(name))
            with convert_errors_to_output_error(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            with staged_file(target, sync=True) as part:
                yield part
            return
        with tempfile.TemporaryDirectory(prefix="fer-edge-") as folder:
            part = Path(folder) / Path(name).name
            yield part
            self._upload(part, name)

    def _upload(self, part: Path, name: str) -> None:
        from pyarrow.fs import LocalFileSystem, copy_files

        file_system, path = self.open(name)
        try:
            copy_files(str(part), path, LocalFileSystem(), file_system)
        except OSError as error:
            raise OutputError(
                f"{self.address(name)}: cannot be written: {' '.join(str(error).split())}"
            ) from error

    def remove_folder(self, name: str) -> None:
        """Remove a folder and its content, if it exists."""
        file_system, path = self.open(name)
        with convert_errors_to_output_error(self.address(name)):
            if file_system.get_file_info(path).type.name == "Directory":
                file_system.delete_dir(path)

    def remove_file(self, name: str) -> None:
        """Remove a file, if it exists."""
        file_system, path = self.open(name)
        with convert_errors_to_output_error(self.address(name)):
            if file_system.get_file_info(path).is_file:
                file_system.delete_file(path)

    def remove_partial_files(self) -> None:
        """Remove the partial files of killed processes; no process may be writing now."""
        if not self.is_local:
            return  # objects appear only when they are complete
        for part in Path(self.root).rglob(".*.part*"):
            part.unlink(missing_ok=True)
