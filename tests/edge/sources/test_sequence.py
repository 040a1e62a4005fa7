"""Several sources as one: in order, with a break between them; a failing source does not end the others."""

from __future__ import annotations

from pathlib import Path

from fer_edge.sources.sequence import SourceSequence
from fer_edge.sources.video import VideoSource
from fer_edge.types import Discontinuity, Frame, SkippedInput
from tests.edge.sources.clips import with_hole, write_clip
from tests.edge.support import write_bytes


def test_each_source_is_read_in_its_turn(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "first.mp4", frames=3)
    text = write_bytes(tmp_path / "text.mp4", b"no video at all")
    broken = write_clip(tmp_path / "broken.avi", "mjpeg", pixels="yuvj420p", frames=60)
    broken.write_bytes(with_hole(broken.read_bytes()))
    last = write_clip(tmp_path / "last.mkv", frames=2, rate=10)
    with SourceSequence([str(path) for path in (first, text, broken, last)], VideoSource) as sequence:
        items = list(sequence)
    kinds = [(item.source if isinstance(item, Frame) else type(item).__name__) for item in items]
    of_broken = kinds.count(str(broken))
    assert 50 <= of_broken < 60
    assert kinds == [
        "Discontinuity",
        *[str(first)] * 3,
        "Discontinuity",
        "SkippedInput",
        "Discontinuity",
        *[str(broken)] * of_broken,
        "SkippedInput",
        "Discontinuity",
        "Discontinuity",
        *[str(last)] * 2,
        "Discontinuity",
    ]
    finished = [item.finished for item in items if isinstance(item, Discontinuity) and item.finished]
    assert finished == [str(first), str(broken), str(last)]
    skipped = [item for item in items if isinstance(item, SkippedInput)]
    assert [item.source for item in skipped] == [str(text), str(broken)]
    assert "the video is damaged" in skipped[1].error
    streams = [item.stream for item in items if isinstance(item, Discontinuity)]
    assert [stream.frame_rate for stream in streams if stream] == [25.0, 25.0, 10.0]
    assert [item.index for item in items if isinstance(item, Frame)][-2:] == [0, 1]


def test_no_sources() -> None:
    with SourceSequence([], VideoSource) as sequence:
        assert list(sequence) == []
