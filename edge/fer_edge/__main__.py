"""The entry point of ``fer-edge`` and ``python -m fer_edge``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with the documented status."""
    try:
        from fer_edge.runtime.shutdown import run_program
    except KeyboardInterrupt:  # the program's own signal handlers are not installed yet
        sys.exit(130)
    run_program(_run)


def _run() -> int:
    from fer_edge.cli.app import run_command, unbuffer_standard_error
    from fer_edge.cli.main import cli
    from fer_edge.runtime.shutdown import raise_if_interrupted

    raise_if_interrupted()  # an import may have swallowed the interrupt
    unbuffer_standard_error()
    return run_command(cli, sys.argv[1:], "fer-edge")


if __name__ == "__main__":
    main()
