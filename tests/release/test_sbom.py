"""The bill of materials is created from real wheels, valid and reproducible."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from release.distribution import Distribution, read_wheel
from release.sbom import build_sbom, main


def write_wheel(folder: Path, name: str, license: str, needs: str = "", files: tuple[str, ...] = ()) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    metadata = (
        f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nLicense-Expression: {license}\n{needs}\nText\n"
    )
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        for file in files:
            wheel.writestr(file, b"")
    return path


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    write_wheel(
        folder, "fer_edge", "MIT", "Requires-Dist: av>=16\nRequires-Dist: tensorflow; extra == 'train'\n"
    )
    write_wheel(folder, "av", "BSD-3-Clause", files=("av.libs/libx264-d6533a8d.so.165", "av/logging.abi3.so"))
    return folder


def read_all(folder: Path) -> list[Distribution]:
    return [read_wheel(path) for path in folder.glob("*.whl")]


def test_it_names_each_wheel_with_hash_license_and_requirements(wheels: Path, tmp_path: Path) -> None:
    target = tmp_path / "sbom.json"
    assert main([str(wheels), "fer-edge", str(target)]) == 0
    document = json.loads(target.read_text())
    assert document["metadata"]["component"]["purl"] == "pkg:pypi/fer-edge@1.0"
    (av,) = document["components"]
    (content,) = av["hashes"]
    assert content["content"] == hashlib.sha256((wheels / "av-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    assert av["licenses"] == [{"expression": "BSD-3-Clause"}]
    (x264,) = av["components"]
    assert (x264["name"], x264["version"]) == ("libx264", "165")
    assert x264["licenses"] == [{"expression": "GPL-2.0-or-later"}]
    assert {"ref": "pkg:pypi/fer-edge@1.0", "dependsOn": ["pkg:pypi/av@1.0"]} in document["dependencies"]


def test_it_is_the_same_each_time_and_has_the_commit_s_time(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    assert main([str(wheels), "fer-edge", str(first)]) == main([str(wheels), "fer-edge", str(second)]) == 0
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(first.read_text())["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"


def test_a_new_license_stops_it(wheels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wheel(wheels, "click", "SSPL-1.0")
    assert main([str(wheels), "fer-edge", str(tmp_path / "sbom.json")]) == 1
    assert "click 1.0: the license is new: SSPL-1.0" in capsys.readouterr().err
    assert not (tmp_path / "sbom.json").exists()


def test_it_is_valid(wheels: Path) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    document = json.dumps(build_sbom(read_all(wheels), "fer-edge", 1_700_000_000))
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(document) is None
