"""What the shell completes that is neither a command nor an option."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["complete_model"]


def complete_model(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a model: the names of bundled ones that begin so, and files."""
    from click.shell_completion import CompletionItem

    from fer_edge.models.find_model import bundled_models

    names = [CompletionItem(name) for name in bundled_models() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]
