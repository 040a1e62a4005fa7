"""Optional packages, imported when they are first used."""

from __future__ import annotations

from typing import Any

from fer_edge.errors import MissingExtraError

__all__ = ["import_pandas"]


def import_pandas() -> Any:
    """Import pandas; raises MissingExtraError if it is not installed."""
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise MissingExtraError("pandas", "pandas") from error
    return pandas
