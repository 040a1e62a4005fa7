"""``fer-edge``: the entry point; also ``python -m fer_edge``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; leaves with the documented exit status."""
    try:
        from fer_edge.cli.app import give_up_stderr, run_command
        from fer_edge.cli.main import cli
        from fer_edge.runtime.shutdown import ignore_signals

        status = run_command(cli, sys.argv[1:], "fer-edge")
        ignore_signals()
        give_up_stderr()
    except KeyboardInterrupt:  # before there was anything to interrupt
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
