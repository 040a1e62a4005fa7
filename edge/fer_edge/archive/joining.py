"""Join the sections of a video into one row file, with consistent face ids."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fer_edge.archive.row_file import RowFile
from fer_edge.archive.schema import LEAD
from fer_edge.types import FaceBox

__all__ = ["join_sections", "match_faces"]

_SAME_IOU: Final = 0.5
_SEEN: Final = 0.5  # the least share of common frames in which a face must be in the same place
_BORDER_S: Final = 1.0  # seconds of common frames to compare
_BATCH: Final = 1 << 15  # rows

Boxes = Mapping[int, Mapping[int, FaceBox]]
"""A mapping from frame number to face id to box."""


def join_sections(parts: Sequence[Path], file: RowFile) -> int:
    """Write the rows of sections, in order, to one file, without the lead-in rows.

    A face that continues across a section border keeps its id; new faces get the next free id. Returns the number of
    ids.
    """
    next_id, before = 0, None
    mapping: dict[int, int] = {}
    everyone: set[int] = set()
    for part in parts:
        if before is not None:
            joined = match_faces(_read_border(before, lead=False), _read_border(part, lead=True))
            mapping = {ours: mapping[theirs] for ours, theirs in joined.items() if theirs in mapping}
        else:
            mapping = {}
        for table in _read_rows(part):
            for id_ in dict.fromkeys(table.column("face_id").drop_null().to_pylist()):
                if id_ not in mapping:
                    mapping[id_], next_id = next_id, next_id + 1
                everyone.add(mapping[id_])
            file.write(_renumber(table, mapping))
        before = part
    return len(everyone)


def match_faces(before: Boxes, after: Boxes) -> dict[int, int]:
    """Map the face ids of a section to those of the previous section.

    The frames that both sections have are compared. Two faces are the same if their boxes have an IoU of at least 0.5
    in at least half of the frames in which the later section has the face.
    """
    together: Counter[tuple[int, int]] = Counter()
    seen: Counter[int] = Counter()
    for frame, faces in after.items():
        for ours, box in faces.items():
            seen[ours] += 1
            for theirs, other in before.get(frame, {}).items():
                together[ours, theirs] += box.iou(other) >= _SAME_IOU
    matched: dict[int, int] = {}
    for (ours, theirs), count in together.most_common():
        if count >= max(1.0, _SEEN * seen[ours]) and ours not in matched and theirs not in matched.values():
            matched[ours] = theirs
    return matched


def _read_border(part: Path, *, lead: bool) -> Boxes:
    """Read the boxes in the last second of a section, or of its lead-in."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    columns = ["frame", "time_s", "face_id", "x", "y", "width", "height", LEAD]
    rows = pq.read_table(part, columns=columns)
    rows = rows.filter(pc.equal(rows.column(LEAD), lead))
    if not rows.num_rows:
        return {}
    last_s = pc.max(rows.column("time_s")).as_py()
    late = pc.greater(rows.column("time_s"), last_s - _BORDER_S)
    rows = rows.filter(pc.and_(late, rows.column("face_id").is_valid()))
    boxes: dict[int, dict[int, FaceBox]] = defaultdict(dict)
    for row in rows.to_pylist():
        boxes[row["frame"]][row["face_id"]] = FaceBox(row["x"], row["y"], row["width"], row["height"])
    return boxes


def _read_rows(part: Path) -> Iterable[Any]:
    """Yield the rows of a section, without its lead-in, as tables."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(part) as file:
        for batch in file.iter_batches(_BATCH):
            table = pa.Table.from_batches([batch])
            yield table.filter(pc.invert(table.column(LEAD))).drop_columns([LEAD])


def _renumber(table: Any, mapping: Mapping[int, int]) -> Any:
    """Return the table with face ids replaced by ``mapping``."""
    import pyarrow as pa

    place = table.column_names.index("face_id")
    ids = [None if id_ is None else mapping[id_] for id_ in table.column(place).to_pylist()]
    return table.set_column(place, table.schema.field(place), pa.array(ids, pa.int64()))
