"""Entry point of ``fer-convert``; imports only the standard library at first."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with the documented status."""
    try:
        from fer_edge.runtime.shutdown import run_program
    except KeyboardInterrupt:  # Ctrl-C before our signal handlers are installed
        sys.exit(130)
    run_program(_run)


def _run() -> int:
    from fer_convert.cli.main import run
    from fer_edge.cli.app import unbuffer_standard_error
    from fer_edge.runtime.shutdown import raise_if_interrupted

    raise_if_interrupted()  # a module may have swallowed the interrupt while it was imported
    unbuffer_standard_error()
    return run(sys.argv[1:])


if __name__ == "__main__":
    main()
