"""Shell completion of argument values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["complete_model"]


def complete_model(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a bundled model or the path of a file."""
    from click.shell_completion import CompletionItem

    from fer_edge.models.find_model import list_bundled_models

    names = [CompletionItem(name) for name in list_bundled_models() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]
