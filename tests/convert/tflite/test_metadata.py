"""The metadata in each file as other programs read it: with Google's generated code, and by field number."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import pytest

from fer_edge.models.spec import FER2013_LABELS

REPOSITORY = Path(__file__).resolve().parents[3]
every_format = pytest.mark.parametrize("variant", ["float32", "float16", "dynamic", "int8"])


def metadata_buffer(path: Path) -> bytearray:
    """Return the buffer named TFLITE_METADATA, found with TensorFlow's own reader."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()), 0)
    (entry,) = [entry for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
    return bytearray(model.buffers[entry.buffer].data.tobytes())


class Table:
    """A flatbuffer table, read by the field numbers of metadata_schema.fbs and the flatbuffer specification."""

    def __init__(self, content: bytearray, position: int | None = None) -> None:
        start = int.from_bytes(content[:4], "little") if position is None else position
        self.table = flatbuffers.table.Table(content, start)

    def _at(self, field: int) -> int:
        offset: int = self.table.Offset(4 + 2 * field)
        assert offset, f"field {field} is absent"
        return offset + int(self.table.Pos)

    def text(self, field: int) -> str:
        return str(self.table.String(self._at(field)).decode())

    def number(self, field: int, kind: Any) -> float:
        return float(self.table.Get(kind, self._at(field)))

    def child(self, field: int) -> Table:
        return Table(self.table.Bytes, self.table.Indirect(self._at(field)))

    def children(self, field: int) -> list[Table]:
        offset = self._at(field) - self.table.Pos
        start, count = self.table.Vector(offset), self.table.VectorLen(offset)
        return [Table(self.table.Bytes, self.table.Indirect(start + 4 * i)) for i in range(count)]

    def floats(self, field: int) -> list[float]:
        offset = self._at(field) - self.table.Pos
        kind = flatbuffers.number_types.Float32Flags
        values = self.table.GetVectorAsNumpy(kind, offset)
        return [float(value) for value in values]


@every_format
def test_labels_and_normalization_are_where_the_convention_demands(converted: Path, variant: str) -> None:
    path = converted / f"{variant}.tflite"
    content = metadata_buffer(path)
    assert content[4:8] == b"M001"
    model = Table(content)
    (graph,) = model.children(3)
    (source,), (output,) = graph.children(2), graph.children(3)
    normalization = source.children(4)[0].child(1)
    assert (normalization.floats(0), normalization.floats(1)) == ([128.0], [64.0])
    labels = output.children(6)[0]
    with zipfile.ZipFile(path) as archive:
        assert archive.read(labels.text(0)).decode().splitlines() == list(FER2013_LABELS)
    size = source.child(3).child(1).child(1)
    kind = flatbuffers.number_types.Uint32Flags
    assert (size.number(0, kind), size.number(1, kind)) == (48, 48)
    assert (source.text(0), output.text(0)) == ("image", "emotion")


@every_format
def test_name_description_author_and_license_are_present(converted: Path, variant: str) -> None:
    model = Table(metadata_buffer(converted / f"{variant}.tflite"))
    assert model.text(0) == "tiny"
    assert variant in model.text(1)
    assert "% correct on PublicTest" in model.text(1)
    assert model.text(4) == "the tests"
    assert model.text(5) == "public domain"


def test_google_s_generated_reader_finds_the_same(converted: Path) -> None:
    schema = pytest.importorskip("mediapipe.tasks.metadata.metadata_schema_py_generated")
    model = schema.ModelMetadataT.InitFromObj(
        schema.ModelMetadata.GetRootAs(metadata_buffer(converted / "int8.tflite"), 0)
    )
    (graph,) = model.subgraphMetadata
    (source,), (output,) = graph.inputTensorMetadata, graph.outputTensorMetadata
    options = source.processUnits[0].options
    assert (options.mean, options.std) == ([128.0], [64.0])
    assert source.content.contentProperties.colorSpace == schema.ColorSpaceType.GRAYSCALE
    assert output.associatedFiles[0].name == b"labels.txt"
    assert output.associatedFiles[0].type == schema.AssociatedFileType.TENSOR_AXIS_LABELS


@pytest.mark.slow
@pytest.mark.skipif(
    "FER_TEST_TFLITE_RUNTIME" not in os.environ, reason="set FER_TEST_TFLITE_RUNTIME=1 to run this test"
)
def test_tflite_runtime_alone_runs_and_reads_every_file(
    converted: Path, data_path: Path, tmp_path: Path
) -> None:
    """Needs Python 3.11 and a network connection: the last tflite-runtime requires numpy < 2."""
    python = shutil.which("python3.11") or pytest.skip("python3.11 is not in PATH")
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
    inside = tmp_path / "venv/bin/python"
    others = [
        text
        for text in _runtime_requirements()
        if not text.startswith(("numpy", "opencv", "ai-edge", "tflite"))
    ]
    packages = ["tflite-runtime", "tflite-support", "numpy<2", "opencv-python-headless<4.12", *others]
    subprocess.run([inside, "-m", "pip", "install", "--quiet", *packages], check=True)
    subprocess.run([inside, "-m", "pip", "install", "--quiet", "--no-deps", REPOSITORY], check=True)
    for path in sorted(converted.glob("*.tflite")):
        command = [inside, "-m", "fer_convert", "verify", path, "--data", data_path]
        verified = subprocess.run(command, capture_output=True, text=True, check=False)
        assert verified.returncode == 0, verified.stderr
        assert "correct on 70 faces" in verified.stdout
        read = subprocess.run([inside, "-c", _DISPLAY, path], capture_output=True, text=True, check=False)
        if "libusb" in read.stderr:
            pytest.skip("tflite-support needs the system library libusb-1.0-0")
        assert read.stdout.split() == ["128.0", "64.0", *FER2013_LABELS], read.stderr


def _runtime_requirements() -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


_DISPLAY = """
import json, sys
from tflite_support import metadata
shown = metadata.MetadataDisplayer.with_model_file(sys.argv[1])
source = json.loads(shown.get_metadata_json())["subgraph_metadata"][0]["input_tensor_metadata"][0]
options = source["process_units"][0]["options"]
print(options["mean"][0], options["std"][0], shown.get_associated_file_buffer("labels.txt").decode())
"""
