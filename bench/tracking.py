"""Compare tracking with a full search of every frame: recall of faces, and stability of their ids.

Uses scenes of real faces (`bench/scene_list.py`). A face is expected in a frame if a search of the whole frame finds
it and has found it in more than 8 frames since it appeared or was uncovered; each box matches one face.

    python -m bench.tracking [--faces ARCHIVE] [--seeds 0 1] [--yunet MODEL] [--detect-every N] [--cache FOLDER]

ARCHIVE is a .tar.gz of images filled by a face. Without it, everyone has the face of one portrait, and ids mean little.
The detector is Haar or, if its model is given, YuNet.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import cv2

from bench.scene_list import SCENES
from bench.scenes import Head, Person, Stage, load_heads
from fer_edge.detectors.base import Detector
from fer_edge.detectors.registry import create_detector
from fer_edge.tracking.tracker import TrackedFace, Tracker
from fer_edge.types import Detection, FaceBox, Frame

SETTLED = 8  # frames in which a face must be found before it is expected
SAME_IOU = 0.5
NESTED = 0.6  # overlap as a share of the smaller box
SWITCH_S = 1.0

Truth = Sequence[Person | None]
"""The ground truth for each person of a scene in one frame; None while absent."""


@dataclass
class Score:
    """Counts of tracking errors: ``missed`` of the ``expected`` faces, and ``more`` boxes without a face.

    ``nested`` counts frames with two boxes on one face, ``switches`` people whose id changes within a second, and
    ``stolen`` ids that pass from one person to another.
    """

    expected: int = 0
    missed: int = 0
    more: int = 0
    nested: int = 0
    switches: int = 0
    stolen: int = 0
    frames: int = 0
    seconds: float = 0.0

    def add(self, other: Score) -> None:
        """Add the counts of another run."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def recall(self) -> float:
        """The percentage of expected faces that were tracked."""
        return 100 * (1 - self.missed / max(1, self.expected))


@dataclass
class Judge:
    """Compares a tracker's faces in each frame with a full search and with the ground truth."""

    score: Score = field(default_factory=Score)
    _found: dict[int, int] = field(default_factory=dict)
    _id_of: dict[int, tuple[int, float]] = field(default_factory=dict)
    _owner: dict[int, int] = field(default_factory=dict)

    def judge(
        self, time_s: float, faces: Sequence[TrackedFace], search: Sequence[FaceBox], truth: Truth
    ) -> None:
        """Add one frame to the score."""
        boxes = [face.detection.box for face in faces]
        visible = {n: p.box for n, p in enumerate(truth) if p is not None and p.visible}
        numbers = list(visible)
        served = set(match(boxes, search).values())
        self._found = {n: count for n, count in self._found.items() if n in visible}
        for hit, number in match(search, [visible[n] for n in numbers], 0.4).items():
            person = numbers[number]
            self._found[person] = self._found.get(person, 0) + 1
            if self._found[person] > SETTLED:
                self.score.expected += 1
                self.score.missed += hit not in served
        shows = {face: numbers[n] for face, n in match(boxes, list(visible.values())).items()}
        present = [person.box for person in truth if person is not None]
        self.score.more += sum(all(box.iou(other) < 0.3 for other in (*search, *present)) for box in boxes)
        self.score.nested += any(
            a.cover(boxes[j]) > NESTED and not (i in shows and j in shows)
            for i, a in enumerate(boxes)
            for j in range(i)
        )
        for index, person in shows.items():
            self._judge_id(faces[index].id, person, time_s)
        self.score.frames += 1

    def _judge_id(self, number: int, person: int, time_s: float) -> None:
        before, then_s = self._id_of.get(person, (number, time_s))
        self.score.switches += before != number and time_s - then_s <= SWITCH_S
        self.score.stolen += self._owner.get(number, person) != person
        self._id_of[person], self._owner[number] = (number, time_s), person


def match(boxes: Sequence[FaceBox], others: Sequence[FaceBox], least: float = SAME_IOU) -> dict[int, int]:
    """Match boxes one to one, best overlap first; return indices of ``boxes`` → ``others``."""
    pairs = sorted(
        ((a.iou(b), i, j) for i, a in enumerate(boxes) for j, b in enumerate(others) if a.iou(b) >= least),
        reverse=True,
    )
    matched: dict[int, int] = {}
    for _, i, j in pairs:
        if i not in matched and j not in matched.values():
            matched[i] = j
    return matched


class ReplayedDetector:
    """A detector with precomputed searches of whole frames."""

    def __init__(self, detector: Detector, found: Sequence[tuple[Detection, ...]]) -> None:
        self._detector, self._found = detector, found
        self.name, self.traits = detector.name, detector.traits

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """Return the precomputed faces of a whole frame, or search a region."""
        if roi is None and min_size is None and max_size is None:
            return self._found[frame.index]
        return self._detector.detect(frame, roi, min_size=min_size, max_size=max_size)

    def smallest_face(self, frame: Frame) -> int:
        """Return the detector's smallest face."""
        return self._detector.smallest_face(frame)

    def close(self) -> None:
        """Do nothing: the detector is used for other scenes."""


class Searches:
    """Full searches of scene frames, cached in ``folder`` unless it is None."""

    def __init__(self, folder: Path | None, detector: Detector) -> None:
        self._folder, self._detector = folder, detector

    def heads(self, archive: Path | None) -> list[Head]:
        """Return the heads of an archive, from the cache if possible."""
        path = self._folder and self._folder / "heads.pickle"
        if path and path.exists():
            heads: list[Head] = pickle.loads(path.read_bytes())
            return heads
        heads = load_heads(archive)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pickle.dumps(heads))
        return heads

    def search(self, name: str, frames: Iterable[Frame]) -> list[tuple[Detection, ...]]:
        """Return the faces of each frame, from the cache if possible."""
        path = self._folder and self._folder / f"{self._detector.name} {name}.pickle"
        if path and path.exists():
            found: list[tuple[Detection, ...]] = pickle.loads(path.read_bytes())
            return found
        found = [self._detector.detect(frame) for frame in frames]
        if path:
            path.write_bytes(pickle.dumps(found))
        return found


def run(
    frames: Sequence[tuple[Frame, Truth]],
    detector: Detector,
    found: list[tuple[Detection, ...]],
    detect_every: int | None,
) -> Score:
    """Track the faces of a scene and return the score."""
    tracker, judge = Tracker(ReplayedDetector(detector, found), detect_every), Judge()
    for (frame, truth), search in zip(frames, found, strict=True):
        assert frame.time_s is not None
        started = time.process_time()
        faces = tracker.update(frame)
        judge.score.seconds += time.process_time() - started
        judge.judge(frame.time_s, faces, [face.box for face in search], truth)
    return judge.score


def main() -> None:
    """Print a row for each scene and one for the total."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=Path, help=".tar.gz of images filled by a face")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds for people and backgrounds")
    parser.add_argument(
        "--scenes", nargs="*", help="run only scenes whose name contains one of these (default: all)"
    )
    parser.add_argument("--yunet", type=Path, metavar="MODEL", help="use YuNet with this model")
    parser.add_argument("--detect-every", type=int)
    parser.add_argument("--cache", type=Path, help="folder in which to cache searches")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    detector = create_detector("yunet" if options.yunet else "haar", model=options.yunet)
    searches = Searches(options.cache, detector)
    heads = searches.heads(options.faces)
    stages = {seed: Stage(heads, seed) for seed in options.seeds}
    total = Score()
    print("| scene | expected | tracked | nested | switches | stolen ids | extra boxes | ms per frame |")
    print("| --- |" + " ---: |" * 7)
    for name, scene in SCENES.items():
        if options.scenes and not any(part in name for part in options.scenes):
            continue
        score = Score()
        for seed, stage in stages.items():
            frames = list(stage.frames(scene))
            found = searches.search(f"{name} {seed}", (frame for frame, _ in frames))
            score.add(run(frames, detector, found, options.detect_every))
        print_row(name, score)
        total.add(score)
    print_row("all", total)


def print_row(name: str, score: Score) -> None:
    """Print one row of the table."""
    print(
        f"| {name} | {score.expected:,} | {score.recall:.2f} % | {score.nested} | {score.switches} "
        f"| {score.stolen} | {score.more} | {1000 * score.seconds / score.frames:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
