from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer_edge.archive.manifest import Manifest, read_manifest
from fer_edge.errors import SourceError

LABELS = ("sad", "happy")


def sources(manifest: Manifest) -> list[str]:
    return [manifest.job(i).source for i in range(len(manifest.keys))]


def test_files_folders_and_patterns_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    for name in ("b.mp4", "a.mkv", "notes.md", ".hidden.mp4"):
        (tmp_path / "videos" / name).touch()
    manifest = read_manifest(["videos", "videos/*.mp4", "./videos/b.mp4", "other.bin"], LABELS)
    assert sources(manifest) == ["videos/a.mkv", "videos/b.mp4", "other.bin"]
    assert manifest.job(0).address == str(tmp_path / "videos/a.mkv")
    assert manifest.warnings[0] == "videos: 1 file skipped (1 .md)"
    assert "duplicate path" in manifest.warnings[1]


def test_a_text_file_lists_paths_beside_it(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(
        "one.mp4\n\nsub dir/ü.mp4\n/abs/two.mp4\ns3://bucket/three.mp4\n", "utf-8"
    )
    manifest = read_manifest([str(tmp_path / "list.txt")], LABELS)
    assert [manifest.job(i).address for i in range(4)] == [
        f"{tmp_path}/one.mp4", f"{tmp_path}/sub dir/ü.mp4", "/abs/two.mp4", "s3://bucket/three.mp4",
    ]  # fmt: skip
    assert sources(manifest)[0] == "one.mp4"


def test_columns_of_a_csv_are_carried_as_texts(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("participant,path,session\n007,a.mp4,1\n008,b.mp4,\n")
    manifest = read_manifest([str(tmp_path / "list.csv")], LABELS)
    assert manifest.job(0).extra_columns.to_pylist() == [{"participant": "007", "session": "1"}]
    assert manifest.job(1).extra_columns.to_pylist() == [{"participant": "008", "session": None}]


def test_columns_of_a_parquet_keep_their_types(tmp_path: Path) -> None:
    pq.write_table(pa.table({"path": ["a.mp4"], "age": pa.array([41], pa.int8())}), tmp_path / "list.parquet")
    (tmp_path / "more.csv").write_text("path,site\nb.mp4,north\n")
    manifest = read_manifest([str(tmp_path / "list.parquet"), str(tmp_path / "more.csv")], LABELS)
    assert manifest.extra_columns.field("age").type == pa.int8()
    assert manifest.job(1).extra_columns.to_pylist() == [{"age": None, "site": "north"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", b"file\na.mp4\n", "no column 'path', only file"),
        ("m.csv", b"path\n", "lists no video"),
        ("m.csv", b"", "cannot read the manifest"),
        ("m.txt", b"\n\n", "lists no video"),
        ("m.txt", b"\xff\xfe\n", "cannot read the manifest"),
        ("m.parquet", b"PAR1 not really", "cannot read the manifest"),
        ("m.csv", b"path,frame\na.mp4,1\n", "the column name 'frame' is reserved for the archive"),
        ("m.csv", b"path,happy\na.mp4,1\n", "the column name 'happy' is reserved"),
        ("m.csv", b"path,status\na.mp4,1\n", "the column name 'status' is reserved"),
        ("m.csv", b"path,x1,x1\na.mp4,1,2\n", "must be unique and not empty"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_one_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as raised:
        read_manifest([str(tmp_path / name)], LABELS)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_manifest_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.csv: cannot read the manifest"):
        read_manifest([str(tmp_path / "nowhere.csv")], LABELS)


def test_columns_of_one_name_and_two_types(tmp_path: Path) -> None:
    pq.write_table(pa.table({"path": ["a.mp4"], "age": [41]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("path,age\nb.mp4,old\n")
    with pytest.raises(SourceError, match="different types"):
        read_manifest([str(tmp_path / "a.parquet"), str(tmp_path / "b.csv")], LABELS)


def test_names_that_are_not_utf8_are_errors_and_the_rest_is_done(tmp_path: Path) -> None:
    manifest = read_manifest(["a.mp4", "b\udcff.mp4"], LABELS)
    assert sources(manifest) == ["a.mp4"]
    assert "not UTF-8" in manifest.errors[0]


def test_each_source_has_a_file_of_its_own(tmp_path: Path) -> None:
    jobs = [read_manifest([path], LABELS).job(0) for path in ("/a/clip 1.mp4", "/b/clip 1.mp4")]
    assert jobs[0].file != jobs[1].file
    assert Path(jobs[0].file).name.startswith("clip_1-")
