"""``fer-edge``: the entry point; also ``python -m fer_edge``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; leaves with the documented exit status."""
    try:
        from fer_edge.cli.app import run_command, unbuffer_standard_error
        from fer_edge.cli.main import cli
        from fer_edge.runtime.shutdown import ignore_signals

        unbuffer_standard_error()
        status = run_command(cli, sys.argv[1:], "fer-edge")
        ignore_signals()
    except KeyboardInterrupt:  # before there was anything to interrupt
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
