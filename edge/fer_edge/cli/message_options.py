"""The options about messages that the commands of all three programs have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

__all__ = ["MESSAGE_OPTIONS", "message_options"]


def _configure_messages(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Apply one of the options about messages, combined with those already parsed."""
    from fer_edge.cli.messages import configure_messages

    chosen = context.meta.setdefault("messages", {})
    chosen[parameter.name] = value
    if chosen.get("verbose") and chosen.get("quiet"):
        raise click.UsageError("--verbose and --quiet cannot be combined; use one of them", context)
    configure_messages(**chosen)


MESSAGE_OPTIONS: Final = (
    click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        is_eager=True,  # so that it also applies to errors of other options
        callback=_configure_messages,
        help="Print more messages; -vv prints debug messages.",
    ),
    click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_configure_messages,
        help="Print results and errors, but no warnings or progress.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        expose_value=False,
        is_eager=True,
        callback=_configure_messages,
        help="Format of messages on standard error; json prints one object per line.",
    ),
)
"""``--verbose``, ``--quiet`` and ``--log-format``, which configure messages and are not passed to the command."""


def message_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options about messages to a command."""
    for option in reversed(MESSAGE_OPTIONS):
        function = option(function)
    return function
