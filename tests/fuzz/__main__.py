"""``python -m tests.fuzz``: run thousands of cases in processes that may die, and print the outcomes.

The same seed gives the same cases. ``--case KIND:SEED:INDEX`` repeats a failed case. The exit status is 1 if a case
ended in a traceback or a crash, or took more than 10 s or 1 GB.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from tests.fuzz.campaign import Campaign, plan, run_one
from tests.fuzz.case import BAD, CaseName
from tests.fuzz.kinds import KINDS

COLUMNS = ("result", "error", *BAD)


def main() -> None:
    """Run the campaign or the case of the command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument(
        "--cases", type=int, default=20_000, help="approximate number of cases (default: 20000)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", help=f"comma-separated kinds (default: all of {', '.join(KINDS)})")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--case", type=CaseName.parse, help="repeat one case, kind:seed:index")
    parser.add_argument("--report", type=Path, help="JSON file for the counts")
    options = parser.parse_args()
    if options.case:
        outcome = run_one(options.case)
        print(f"{outcome.what} after {outcome.seconds:g} s, {outcome.memory_mb:g} MB\n{outcome.detail}")
        sys.exit(outcome.what in BAD)
    kinds = options.kinds.split(",") if options.kinds else list(KINDS)
    started = time.monotonic()
    campaign = Campaign()
    for outcome in campaign.run(plan(options.cases, options.seed, kinds), options.workers):
        print(f"\n--- {outcome.what}: --case {outcome.case}\n{outcome.detail}", flush=True)
    show(campaign, time.monotonic() - started)
    if options.report:
        options.report.write_text(
            json.dumps({name: dict(c) for name, c in campaign.counts.items()}, indent=2)
        )
    sys.exit(bool(campaign.outcomes))


def show(campaign: Campaign, seconds: float) -> None:
    """Print the number of cases by kind and outcome."""
    print(f"\n{'kind':20}" + "".join(f"{name:>11}" for name in COLUMNS) + f"{'longest':>11}")
    for kind, counts in sorted(campaign.counts.items()):
        cells = "".join(f"{counts[name]:11,}" for name in COLUMNS)
        print(f"{kind:20}{cells}{campaign.slowest[kind]:9.1f} s")
    total = sum(sum(counts.values()) for counts in campaign.counts.values())
    print(f"{'all':20}" + "".join(f"{campaign.count(name):11,}" for name in COLUMNS))
    print(f"{total:,} cases in {seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
