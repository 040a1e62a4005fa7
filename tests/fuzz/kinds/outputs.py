"""Output of earlier runs that later runs read: rows to append to, their state, journals for deletion."""

from __future__ import annotations

import contextlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cv2
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fer_edge.sinks.csv import COLUMNS
from fer_edge.sinks.rotation.journal import hidden_path
from fer_edge.sinks.rotation.retention import Retention
from fer_edge.sinks.rotation.timed_name import TimedName
from tests.fuzz.case import Kind
from tests.fuzz.kinds.media import portrait
from tests.fuzz.kinds.mutation import damaged_bytes, damaged_json, damaged_text, odd_json

__all__ = ["LABELS", "OUTPUTS", "make_row", "run_fer_edge"]

LABELS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def run_fer_edge(*arguments: str) -> tuple[int, str]:
    """Run the command line in this process; return its exit status and standard error."""
    from fer_edge.cli.app import run_command
    from fer_edge.cli.main import cli

    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        status = run_command(cli, list(arguments), "fer-edge")
    return status, said.getvalue()


# --- rows to append to ---


def make_row(index: int) -> dict[str, Any]:
    scores = dict.fromkeys(LABELS, 0.142857)
    face = {
        "id": index,
        "box": [1, 2, 30, 30],
        "confidence": None,
        "emotion": "happy",
        "score": 0.9,
        "scores": scores,
    }
    return {"source": "a.png", "frame": 0, "time_s": None, "clock": None, "faces": [face]}


def _rows() -> SearchStrategy[tuple[str, bytes, str | None]]:
    lines = "".join(json.dumps(make_row(index)) + "\n" for index in range(3))
    header = ",".join((*COLUMNS, *LABELS))
    table = (
        header
        + "\r\n"
        + "".join(f"a.png,0,,,{n},1,2,30,30,,happy,0.9{',0.142857' * 7}\r\n" for n in range(3))
    )
    odd_lines = st.lists(odd_json().map(json.dumps), max_size=4).map("\n".join)
    content = st.one_of(
        st.tuples(st.just("jsonl"), st.one_of(damaged_text(lines), odd_lines)),
        st.tuples(st.just("csv"), damaged_text(table)),
    )
    state = {
        "version": 1,
        "complete": {"a.png": len(lines)},
        "next_id": 3,
        "live": {"file": "r", "size": 9, "tail": 1},
    }
    return st.tuples(content, st.none() | damaged_json(state)).map(
        lambda value: (value[0][0], value[0][1].encode("utf-8", "surrogatepass"), value[1])
    )


def _append(value: tuple[str, bytes, str | None], folder: Path) -> None:
    suffix, content, state = value
    rows, image = folder / f"rows.{suffix}", folder / "b.png"
    rows.write_bytes(content)
    if state is not None:
        rows.with_name(rows.name + ".state.json").write_text(state, errors="surrogatepass")
    cv2.imwrite(str(image), portrait())
    status, said = run_fer_edge("image", str(image), "-r", str(rows), "--append", "-q")
    assert status in (0, 1, 2), said
    assert "Traceback" not in said
    after = rows.read_bytes()
    if status != 0:
        assert after in (content, content[: content.rfind(b"\n") + 1]), "a refused file was changed"
        return
    assert after.endswith(b"\n")
    last = after.splitlines()[-1]
    assert b"b.png" in last, "the row is not the last one"
    if suffix == "jsonl":
        assert len(json.loads(last)["faces"]) == 1


# --- journals ---


def _journals() -> SearchStrategy[bytes]:
    lines = [
        {"file": "rows-2026-01-01.csv", "begun": 12},
        {"file": "rows-2026-01-01.csv", "size": 5, "modified": 1000.0},
        {"file": "rows-2026-01-02.csv", "size": 5, "modified": 2000.0},
        {"file": "rows-2026-01-02.csv", "gone": True},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    bad_names = st.sampled_from(["../kept.txt", "/etc/passwd", "kept.txt", "rows-2026-01-01.csv/x", "", "."])
    forged = st.tuples(bad_names, odd_json(), odd_json()).map(
        lambda value: json.dumps({"file": value[0], "size": value[1], "modified": value[2]}) + "\n"
    )
    damaged = damaged_bytes(text.encode())
    return st.tuples(damaged, st.lists(forged, max_size=3)).map(
        lambda value: value[0] + "".join(value[1]).encode()
    )


def _prune(content: bytes, folder: Path) -> None:
    outputs = folder / "outputs"
    outputs.mkdir()
    strangers = (outputs / "kept.txt", folder / "kept.txt", outputs / "rows-2026-01-03.csv")
    for path in strangers:
        path.write_text("kept")
    name = TimedName(str(outputs / "rows-%Y-%m-%d.csv"))
    hidden_path(name, ".journal").write_bytes(content)
    for path in outputs.parent.rglob(".fer-edge-files-*"):
        path.write_bytes(content)
    retention = Retention(days=1, gigabytes=0.000001)
    journal = retention.register(name)
    mine = name.expand(datetime.now(UTC))
    mine.write_text("new")
    journal.begin(mine)
    journal.finish(mine)
    retention.prune()
    assert all(path.read_text() == "kept" for path in strangers), "a stranger's file was deleted"


OUTPUTS: Final[dict[str, Kind]] = {
    "append": Kind(_rows, _append, batch=25, share=1.5),
    "journal": Kind(_journals, _prune),
}
