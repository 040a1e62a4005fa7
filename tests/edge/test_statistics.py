"""Run statistics in constant memory."""

from __future__ import annotations

import logging

from fer_edge.statistics import RunStatistics, WarningCollector


def test_warnings_beyond_a_hundred_texts_are_counted() -> None:
    statistics = RunStatistics()
    with WarningCollector(statistics):
        for number in range(150):
            logging.getLogger("fer_edge.test").warning("%d rows dropped", number)
    assert len(statistics.list_warnings()) == 101
    assert "(50 times)" in statistics.list_warnings()[-1]
