"""Input for reports and tables: rows of runs, Parquet files, and an archive's lists of videos."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fer_edge.sinks.csv import COLUMNS
from tests.fuzz.case import Kind
from tests.fuzz.kinds.mutation import damaged_bytes, damaged_json, damaged_text
from tests.fuzz.kinds.outputs import LABELS, make_row, run_fer_edge

__all__ = ["RESULTS"]

_EVIL: Final = "</script><img src=x onerror=alert(1)>\u2028<!--"


# --- reports ---


def _rows() -> SearchStrategy[tuple[str, bytes]]:
    lines = [json.dumps({**make_row(index), "source": _EVIL, "time_s": index / 10}) for index in range(12)]
    odd_lines = st.lists(damaged_json({**make_row(1), "time_s": 1.0}), min_size=1, max_size=3).map(
        lambda odd: "\n".join([*lines[:6], *odd, *lines[6:], ""])
    )
    name = _EVIL.replace('"', "'")
    table = "".join(f"{name},{n},{n / 10},,{n},1,2,30,30,,happy,0.9{',0.142857' * 7}\r\n" for n in range(12))
    header = ",".join((*COLUMNS, *LABELS)) + "\r\n"
    jsonl = st.one_of(damaged_text("\n".join(lines) + "\n"), odd_lines).map(lambda text: ("rows.jsonl", text))
    csv = damaged_text(header + table).map(lambda text: ("rows.csv", text))
    return (jsonl | csv).map(lambda value: (value[0], value[1].encode("utf-8", "surrogatepass")))


def _report(value: tuple[str, bytes], folder: Path) -> None:
    name, content = value
    rows, page = folder / name, folder / "page.html"
    rows.write_bytes(content)
    status, said = run_fer_edge("report", str(rows), "-o", str(page), "--png", str(folder / "png"))
    assert status in (0, 1, 2), said
    assert "Traceback" not in said
    if page.exists():
        assert b"<img src=x" not in page.read_bytes()
    else:
        assert status != 0


# --- tables ---


def _parquet() -> SearchStrategy[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "source": ["a.mp4"] * 3,
        "frame": [0, 1, 2],
        "time_s": [0.0, 0.1, 0.2],
        "clock": pa.array([None] * 3, pa.string()),
        "face_id": [0, 0, None],
        **{name: [1, 2, None] for name in ("x", "y", "width", "height")},
        "confidence": pa.array([None] * 3, pa.float64()),
        "emotion": ["happy", "sad", None],
        "score": [0.9, 0.8, None],
        **{label: [0.1, 0.1, None] for label in LABELS},
    }
    content = io.BytesIO()
    table = pa.table(columns).replace_schema_metadata({"fer_edge": json.dumps({"labels": LABELS})})
    pq.write_table(table, content, compression="zstd")
    return damaged_bytes(content.getvalue())


def _read_results(content: bytes, folder: Path) -> None:
    from fer_edge import read_results

    path = folder / "rows.parquet"
    path.write_bytes(content)
    table = read_results([path], "pandas")
    assert {"source", "frame", "emotion"} <= set(table.columns)


# --- lists of videos ---


def _manifests() -> SearchStrategy[tuple[str, bytes]]:
    rows = 'path,participant,date\na.mp4,7,2026-01-01\nb/c.mp4,08,\n"d,e.mp4",x,é\n'
    lines = "a.mp4\n# no video\n../b.mp4\ns3://bucket/c.mp4\n\n"
    csv = damaged_text(rows).map(lambda text: ("list.csv", text))
    txt = damaged_text(lines).map(lambda text: ("list.txt", text))
    return (csv | txt).map(lambda value: (value[0], value[1].encode("utf-8", "surrogatepass")))


def _read_manifest(value: tuple[str, bytes], folder: Path) -> None:
    from fer_edge.archive.manifest import read_manifest

    name, content = value
    path = folder / name
    path.write_bytes(content)
    manifest = read_manifest([str(path)], LABELS)
    for index in range(len(manifest.keys)):
        assert manifest.job(index).address


RESULTS: Final[dict[str, Kind]] = {
    "report": Kind(_rows, _report, batch=25, share=1.5),
    "parquet": Kind(_parquet, _read_results),
    "manifest": Kind(_manifests, _read_manifest),
}
