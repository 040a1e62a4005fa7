"""A few hundred damaged and hostile inputs of every kind; ``make fuzz`` runs twenty thousand."""

from __future__ import annotations

import dataclasses

import pytest

from tests.fuzz.campaign import Campaign, Job, run_one
from tests.fuzz.case import BAD, CaseName
from tests.fuzz.kinds import KINDS

SEED = 2


@pytest.mark.slow
def test_nothing_but_results_and_errors() -> None:
    campaign = Campaign()
    found = list(campaign.run([Job(name, SEED, end=20) for name in KINDS], workers=2))
    assert not found, "\n".join(
        f"--case {outcome.case}: {outcome.what}\n{outcome.detail}" for outcome in found
    )
    assert set(campaign.counts) == set(KINDS)
    assert campaign.count("result") > 50
    assert campaign.count("error") > 50


def test_a_case_is_the_same_each_time() -> None:
    once, again = (run_one(CaseName("rule", 5, 7)) for _ in range(2))
    assert once.what not in BAD
    assert dataclasses.replace(once, seconds=0, memory_mb=0) == dataclasses.replace(
        again, seconds=0, memory_mb=0
    )
