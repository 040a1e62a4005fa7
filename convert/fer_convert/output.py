"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_edge.errors import OutputError

__all__ = ["check_folder", "replaced_file", "staged_folder"]


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Raise OutputError where :func:`staged_folder` would refuse a folder."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: expected a folder to write into, it is a file; name another with --out")
    present = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if present and not overwrite:
        raise OutputError(
            f"{folder}: expected an empty folder, it holds {', '.join(present[:3])}"
            f"{' and more' if len(present) > 3 else ''}; name another with --out or allow it with --overwrite"
        )


@contextmanager
def staged_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """An empty folder whose files move into ``folder`` at the end, all of them or, after an error, none.

    A folder that already holds files is refused without ``overwrite``; with it, files of the same names
    are replaced and others stay. Raises OutputError when the folder cannot be written.
    """
    check_folder(folder, overwrite=overwrite)
    is_new = not folder.exists()
    with _as_output_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(prefix=".fer-convert-", dir=folder) as staging:
                yield Path(staging)
                for path in sorted(Path(staging).iterdir()):
                    path.replace(folder / path.name)
        except BaseException:
            if is_new and not any(folder.iterdir()):
                folder.rmdir()
            raise


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place at the end, or vanishes after an error."""
    part = path.with_name(f".{path.name}.part")
    with _as_output_error(path):
        try:
            yield part
            if path.exists():
                part.chmod(path.stat().st_mode & 0o777)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror or error}; name another place"
        ) from error
