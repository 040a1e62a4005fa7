"""``python -m tests.faults``: kill commands with SIGKILL or other signals at random moments, hundreds of times.

After each kill, every file with a final name must be readable. Running the same command again must succeed, remove
the unfinished files of the killed run, and give the same rows. The exit status is 1 if any check fails.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.faults.commands import COMMANDS
from tests.faults.kills import SIGNALS, kill_at_random


def main() -> None:
    """Run the campaign with the options of the command line."""
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--commands",
        default=",".join(COMMANDS),
        help=f"comma-separated commands (default: all of {', '.join(COMMANDS)})",
    )
    parser.add_argument(
        "--signals",
        default="KILL",
        help=f"comma-separated signals of {', '.join(SIGNALS)} (default: KILL); half are sent twice",
    )
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    counts: Counter[tuple[str, str]] = Counter()
    names, signals = options.commands.split(","), options.signals.split(",")
    for kill in kill_at_random(folder / "work", names, options.kills, options.seed, signals):
        counts[kill.command, "killed" if kill.was_running else "already done"] += 1
        if kill.faults:
            counts[kill.command, "wrong"] += 1
            print(
                f"--- {kill.command}, {kill.signal} after {kill.after_s} s",
                *kill.faults,
                sep="\n",
                flush=True,
            )
    columns = ("killed", "already done", "wrong")
    print(f"{'command':12}" + "".join(f"{name:>14}" for name in columns))
    for name in names:
        print(f"{name:12}" + "".join(f"{counts[name, column]:14}" for column in columns))
    wrong = sum(count for (_, column), count in counts.items() if column == "wrong")
    if wrong:
        print(f"The files of the failed runs are in {folder}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
