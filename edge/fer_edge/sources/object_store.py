"""Files of object stores, ``s3://bucket/key`` and ``gs://bucket/key``, through pyarrow's file systems."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final

from fer_edge.errors import MissingExtraError

__all__ = ["file_system_of", "is_object_url", "open_object"]

_SCHEMES: Final = ("s3://", "gs://", "gcs://")
_BUFFER: Final = 1 << 20  # bytes: each request to a store takes some 10 ms, however little it asks for


def is_object_url(address: str) -> bool:
    """Whether an address names a file or folder in an object store."""
    return address.startswith(_SCHEMES)


def file_system_of(address: str) -> tuple[Any, str]:
    """The ``pyarrow.fs.FileSystem`` of an address and the path in it, ``bucket/key``.

    Credentials and region are those of the store's own tools: environment variables, configuration files, or the
    machine's role. ``AWS_ENDPOINT_URL`` names another server that speaks S3. Raises MissingExtraError, OSError.
    """
    scheme, _, path = address.partition("://")
    bucket = path.partition("/")[0]
    return _open_bucket(scheme, bucket), path.rstrip("/")


@lru_cache(maxsize=64)
def _open_bucket(scheme: str, bucket: str) -> Any:
    try:
        from pyarrow.fs import FileSystem
    except ImportError as error:
        raise MissingExtraError("pyarrow", "archive") from error
    # From the URL, so that the bucket's region is looked up.
    return FileSystem.from_uri(f"{scheme}://{bucket}")[0]


def open_object(address: str) -> Any:
    """Open a file of an object store to read from any place; raises MissingExtraError, OSError."""
    file_system, path = file_system_of(address)
    return io.BufferedReader(file_system.open_input_file(path), _BUFFER)
