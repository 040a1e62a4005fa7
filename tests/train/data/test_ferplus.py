from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_train.data.dataset import FaceDataset
from fer_train.data.ferplus import FERPLUS_LABELS, lookup_votes, read_votes, relabel_by_votes


class TestVotes:
    HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"

    def test_they_are_read_in_the_order_of_the_rows(self, tmp_path: Path) -> None:
        path = tmp_path / "votes.csv"
        path.write_text(
            f"{self.HEADER}\nTraining,fer0.png,4,0,0,1,3,2,0,0,0,0\nTraining,,0,0,0,0,0,0,0,0,0,10\n"
        )
        assert read_votes(path).tolist() == [[4, 0, 0, 1, 3, 2, 0, 0, 0, 0], [0] * 9 + [10]]

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "columns neutral"),
            ("Usage,neutral\n", "columns happiness"),
            (f"{HEADER}\nTraining,x,1,2\n", "line 2"),
            (f"{HEADER}\nTraining,x,4,0,0,1,3,2,0,0,0,many\n", "line 2"),
            (f"{HEADER}\nTraining,x,4,0,0,1,3,2,0,0,0,-1\n", "line"),
        ],
    )
    def test_malformed_ones_are_refused(self, text: str, says: str, tmp_path: Path) -> None:
        path = tmp_path / "votes.csv"
        path.write_text(text)
        with pytest.raises(DataError, match=says):
            read_votes(path)

    def test_a_missing_file_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="cannot read the votes"):
            read_votes(tmp_path / "nowhere.csv")


def test_the_eight_emotions_are_those_of_most_votes() -> None:
    pixels = np.zeros((5, 48, 48), np.uint8)
    faces = FaceDataset(pixels, np.arange(5), np.full(5, "Training"), np.arange(5))
    votes = np.zeros((5, 10), np.uint8)
    votes[0, [0, 7]] = 3, 7  # contempt
    votes[1, [2, 5]] = 5, 5  # surprise, the first of two equal counts
    votes[2, [1, 9]] = 4, 6  # no face
    votes[3, [3, 8]] = 4, 6  # unknown
    chosen = relabel_by_votes(faces, votes)  # the last face has no votes
    assert [FERPLUS_LABELS[label] for label in chosen.labels] == ["contempt", "surprise"]
    assert chosen.source_rows.tolist() == [0, 1]
    assert chosen.label_names == FERPLUS_LABELS


def test_votes_go_with_their_own_data_only(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(
        "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n" + "1" + ",0" * 9
    )
    face = np.zeros((1, 48, 48), np.uint8)
    for row in (-1, 1):
        faces = FaceDataset(face, np.array([0]), np.array(["Training"]), np.array([row]))
        with pytest.raises(DataError, match="not with image folders"):
            lookup_votes(faces, path)
