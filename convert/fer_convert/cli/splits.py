"""The option ``--split``."""

from __future__ import annotations

from typing import Final

import click

from fer_train.data.dataset import SPLITS

__all__ = ["split_option"]

split_option: Final = click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="Split to evaluate on; test is the held-out part of your own data.  [default: PublicTest, or test]",
)
"""Decorator that adds ``--split``."""
