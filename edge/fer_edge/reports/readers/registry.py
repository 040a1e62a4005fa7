"""The registry of readers, by the suffix of their files.

To add a reader, add a module to this folder and a line here.
"""

from __future__ import annotations

from typing import Final

from fer_edge.reports.readers.base import Reader
from fer_edge.runtime.registry import Registry

__all__ = ["READERS"]

READERS: Final[Registry[Reader]] = Registry(
    "results format",
    "fer_edge.readers",
    {
        "jsonl": "fer_edge.reports.readers.jsonl:read_rows",
        "csv": "fer_edge.reports.readers.csv:read_rows",
        "parquet": "fer_edge.reports.readers.parquet:read_rows",
    },
)
"""The formats that ``fer-edge report`` and ``read_results`` can read."""
