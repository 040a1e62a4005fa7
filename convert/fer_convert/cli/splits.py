"""The option ``--split``."""

from __future__ import annotations

from typing import Final

import click

from fer_convert.conversion.options import DEFAULT_SPLIT

__all__ = ["split_option"]

split_option: Final = click.option(
    "--split",
    type=click.Choice(["Training", "PublicTest", "PrivateTest"]),
    default=DEFAULT_SPLIT,
    show_default=True,
    help="The faces to measure on.",
)
"""Adds ``--split``, the same for every command."""
