from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import OutputError
from fer_train.training.tensorboard import EventFile


@pytest.mark.slow
def test_tensorflow_reads_back_what_was_added(tmp_path: Path) -> None:
    import tensorflow as tf

    events = EventFile(tmp_path / "tensorboard")
    events.add(1, {"loss/training": 1.5, "accuracy/training": 0.25})
    events.add(300, {"loss/training": 0.125})
    events.close()
    (path,) = (tmp_path / "tensorboard").iterdir()
    read = [
        (event.step, value.tag, value.simple_value)
        for event in (
            tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))
        )
        for value in event.summary.value
    ]
    assert read == [
        (1, "loss/training", 1.5),
        (1, "accuracy/training", 0.25),
        (300, "loss/training", 0.125),
    ]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"not a folder|cannot write|cannot create folder"):
        EventFile(tmp_path / "file").add(1, {"loss": 1.0})
