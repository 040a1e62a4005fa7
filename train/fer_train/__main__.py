"""``fer-train``: the entry point, which needs nothing but the standard library to answer."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; leaves with the documented exit status."""
    try:
        from fer_edge.runtime.shutdown import run_program
    except KeyboardInterrupt:  # before a signal is handled in another way
        sys.exit(130)
    run_program(_run)


def _run() -> int:
    from fer_edge.cli.app import unbuffer_standard_error
    from fer_edge.runtime.shutdown import raise_if_interrupted
    from fer_train.cli.main import run

    raise_if_interrupted()  # a module that was being imported may have swallowed it
    unbuffer_standard_error()
    return run(sys.argv[1:])


if __name__ == "__main__":
    main()
