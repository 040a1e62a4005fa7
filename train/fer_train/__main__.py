"""``fer-train``: the entry point, which needs nothing but the standard library to answer."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; leaves with the documented exit status."""
    try:
        from fer_edge.cli.app import unbuffer_standard_error
        from fer_edge.runtime.shutdown import ignore_signals
        from fer_train.cli.main import run

        unbuffer_standard_error()
        status = run(sys.argv[1:])
        ignore_signals()
    except KeyboardInterrupt:  # before there was anything to interrupt
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
