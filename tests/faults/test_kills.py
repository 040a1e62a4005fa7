"""A few kills of the fast commands; ``python -m tests.faults`` runs five hundred kills of all commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kills import kill_at_random


@pytest.mark.slow
def test_a_kill_leaves_nothing_half_done_and_stops_no_later_run(tmp_path: Path) -> None:
    kills = list(
        kill_at_random(tmp_path / "work", ["video", "append", "folder", "camera", "get"], 12, seed=1)
    )
    assert not [kill for kill in kills if kill.faults]
    assert any(kill.was_running for kill in kills)
