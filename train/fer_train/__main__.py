"""Entry point of ``fer-train``; imports only the standard library at first."""

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
    from fer_edge.cli.app import unbuffer_standard_error
    from fer_edge.runtime.shutdown import raise_if_interrupted
    from fer_train.cli.main import run

    raise_if_interrupted()  # a module may have swallowed the interrupt while it was imported
    unbuffer_standard_error()
    return run(sys.argv[1:])


if __name__ == "__main__":
    main()
