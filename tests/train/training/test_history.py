from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import RunError
from fer_train.training.history import EpochReport, read_history, write_history

FIRST = EpochReport(1, 2.12345678, 0.25, 1.5, 0.5, 1e-6, 512.0, 12.5)
UNVALIDATED = EpochReport(2, 1.0, 0.5, None, None, 0.03, 100.123, 3.0)


def test_the_table_has_a_row_for_each_epoch_and_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [FIRST, UNVALIDATED])
    assert (tmp_path / "history.csv").read_bytes().decode().split("\r\n") == [
        "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,images_per_s,seconds",
        "1,2.123457,0.25,1.5,0.5,1e-06,512.0,12.5",
        "2,1.0,0.5,,,0.03,100.123,3.0",
        "",
    ]


@pytest.mark.parametrize("history", [[UNVALIDATED], [FIRST, UNVALIDATED]], ids=["not validated", "both"])
def test_it_is_read_as_it_was_written(history: list[EpochReport], tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", history)
    read = read_history(tmp_path / "history.csv")
    assert [report.epoch for report in read] == [report.epoch for report in history]
    assert [report.val_loss for report in read] == [report.val_loss for report in history]
    assert read[0].loss == pytest.approx(history[0].loss, abs=1e-6)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "epoch\n1\n"], ids=["empty", "other columns", "too few"])
def test_another_table_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(RunError, match=r"history\.csv: cannot read this history"):
        read_history(tmp_path / "history.csv")
