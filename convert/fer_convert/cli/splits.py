"""The option ``--split``."""

from __future__ import annotations

from typing import Final

import click

from fer_train.data.dataset import SPLITS

__all__ = ["split_option"]

split_option: Final = click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="The faces to measure on; test: those held out of your own.  [default: PublicTest, or test]",
)
"""Adds ``--split``, the same for every command."""
