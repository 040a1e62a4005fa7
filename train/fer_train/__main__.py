"""``fer-train``: the entry point, which needs nothing but the standard library to answer."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; leaves with the documented exit status."""
    from fer_train.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
