"""``fer-edge``: the entry point; also ``python -m fer_edge``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; leaves with the documented exit status."""
    try:
        from fer_edge.cli import cli
        from fer_edge.console import run_command

        status = run_command(cli, sys.argv[1:], "fer-edge")
    except KeyboardInterrupt:  # before there was anything to interrupt
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
