"""Files in object stores (``s3://``, ``gs://``), through pyarrow's file systems."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final

from fer_edge.errors import MissingExtraError

__all__ = ["is_object_url", "open_file_system", "open_object"]

_SCHEMES: Final = ("s3://", "gs://", "gcs://")
_BUFFER: Final = 1 << 20  # bytes; every request takes about 10 ms, however small


def is_object_url(address: str) -> bool:
    """Return whether an address refers to a file or folder in an object store."""
    return address.startswith(_SCHEMES)


def open_file_system(address: str) -> tuple[Any, str]:
    """Return the ``pyarrow.fs.FileSystem`` of an address and the path in it.

    The path is ``bucket/key``. Credentials and region come from the store's usual places: environment variables,
    configuration files or the machine's role. ``AWS_ENDPOINT_URL`` selects another S3-compatible server. Raises
    MissingExtraError, OSError.
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
    # Created from the URL, so that pyarrow looks up the bucket's region.
    return FileSystem.from_uri(f"{scheme}://{bucket}")[0]


def open_object(address: str) -> Any:
    """Open a file in an object store for random access.

    Raises MissingExtraError, OSError.
    """
    file_system, path = open_file_system(address)
    return io.BufferedReader(file_system.open_input_file(path), _BUFFER)
