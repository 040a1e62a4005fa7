"""``fer-convert``: the entry point; it imports only the standard library."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        from fer_convert.cli.main import run
        from fer_edge.cli.app import unbuffer_standard_error
        from fer_edge.runtime.shutdown import ignore_signals

        unbuffer_standard_error()
        status = run(sys.argv[1:])
        ignore_signals()
    except KeyboardInterrupt:  # while modules are being imported
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
