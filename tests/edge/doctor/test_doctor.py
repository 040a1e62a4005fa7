"""The findings of the doctor, on healthy and on broken installations."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from fer_edge.doctor import Finding, examine, hardware, models, places, software
from fer_edge.models import detector_files, find_model
from fer_edge.models.find_model import list_bundled_models


def statuses(findings: Iterable[Finding]) -> dict[str, str]:
    return {finding.name: finding.status for finding in findings}


def test_everything_that_is_needed_works_here() -> None:
    found = list(examine())
    red = [finding for finding in found if finding.status == "red"]
    assert red == []
    names = {finding.name for finding in found}
    assert {
        "Python",
        "LiteRT",
        "OpenCV",
        "Haar cascade",
        "video",
        "model default",
        "detection",
        "memory",
    } <= names


def test_every_fault_has_a_remedy_and_nothing_else_has() -> None:
    assert all((finding.status == "green") == (finding.remedy == "") for finding in examine())


class TestSoftware:
    def test_several_opencvs_overwrite_each_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Distribution:
            def __init__(self, name: str) -> None:
                self.name = name

        installed = [Distribution("opencv-python-headless"), Distribution("opencv-contrib-python")]
        monkeypatch.setattr(software, "distributions", lambda: installed)
        found = next(iter(software.check_opencv()))
        assert found.status == "amber"
        assert "pip uninstall opencv-contrib-python;" in found.remedy

    def test_tflite_runtime_in_litert_s_place_is_slow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def check(module: str, name: str) -> Finding:
            return Finding("red" if name == "LiteRT" else "green", name, "2.14")

        monkeypatch.setattr(software, "_check_import", check)
        assert list(software.check_packages())[-1].status == "amber"


class TestModels:
    def test_each_bundled_model_s_answer_is_written_down(self) -> None:
        for name in list_bundled_models():
            path = find_model.find_model(name).path.with_suffix(models.ANSWERS_SUFFIX)
            expected = json.loads(path.read_text())
            found = models.compute_reference_scores(name)
            assert list(found) == list(expected)
            assert all(abs(found[label] - score) <= 0.1 for label, score in expected.items())

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return a copy of the bundled models that tests may damage."""
        source = find_model.find_model().path.parent
        for model in list_bundled_models():
            for name in (f"{model}.tflite", f"{model}.answers.json"):
                (tmp_path / name).write_bytes((source / name).read_bytes())
        monkeypatch.setattr(find_model, "_FOLDER", tmp_path)
        return tmp_path

    def test_a_model_with_other_scores_is_reported(self, folder: Path) -> None:
        path = folder / "default.answers.json"
        found = statuses(models.check_models())
        assert (found["model default"], found["model accurate"]) == ("green", "green")
        path.write_text(json.dumps(dict.fromkeys(json.loads(path.read_text()), 1 / 7)))
        found, *_ = models.check_models()
        assert found.status == "red"
        assert "off by" in found.found

    def test_a_model_without_stored_scores(self, folder: Path) -> None:
        (folder / "default.answers.json").unlink()
        assert statuses(models.check_models())["model default"] == "amber"

    @pytest.mark.parametrize("content", [b"", b"TFL3" * 100])
    def test_a_damaged_model(self, content: bytes, folder: Path) -> None:
        (folder / "default.tflite").write_bytes(content)
        assert statuses(models.check_models())["model default"] == "red"

    def test_a_modified_model(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Hash:
            mode, value = "sha256", "x" * 43

        class File:
            name, hash = "default.tflite", Hash()

            def locate(self) -> Path:
                return folder / self.name

        monkeypatch.setattr(models, "files", lambda _: [File()])
        found, *_ = models.check_models()
        assert (found.status, found.found) == ("red", "the file has changed since it was installed")

    def test_a_missing_model(self, folder: Path) -> None:
        (folder / "accurate.tflite").unlink()
        found = statuses(models.check_models())
        assert (found["model default"], found["model accurate"]) == ("green", "red")

    def test_no_models(self, folder: Path) -> None:
        for path in folder.iterdir():
            path.unlink()
        found = statuses(models.check_models())
        assert (found["model default"], found["model accurate"]) == ("red", "red")

    def test_downloads_are_checked_and_not_missed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(detector_files, "find_detectors_folder", lambda: tmp_path)
        assert list(models.check_detectors()) == []
        (tmp_path / detector_files.DETECTOR_FILES["yunet"].file_name).write_bytes(b"cut off")
        (found,) = models.check_detectors()
        assert (found.status, found.remedy) == ("red", "fer-edge get yunet")


class TestPlaces:
    @pytest.mark.parametrize(
        ("kilobytes", "status"), [(100_000, "red"), (300_000, "amber"), (4_000_000, "green")]
    )
    def test_memory(
        self, kilobytes: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:  {kilobytes} kB\n")
        monkeypatch.setattr(places, "_MEMINFO", tmp_path / "meminfo")
        assert statuses(places.check_memory()) == {"memory": status}

    def test_memory_is_not_reported_on_other_systems(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(places, "_MEMINFO", tmp_path / "none")
        assert list(places.check_memory()) == []


class TestHardware:
    @pytest.mark.parametrize(
        ("degrees", "power", "expected"),
        [
            (50.0, (), {"temperature": "green", "power": "green"}),
            (82.0, ("throttled",), {"temperature": "amber", "power": "amber"}),
            (None, None, {}),
        ],
    )
    def test_a_board_that_is_hot_or_short_of_power(
        self,
        degrees: float | None,
        power: tuple[str, ...] | None,
        expected: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(hardware, "read_temperature", lambda: degrees)
        monkeypatch.setattr(hardware, "read_throttling", lambda: power)
        assert statuses(hardware.check_board()) == expected

    def test_a_raspberry_pi_wants_picamera2(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hardware, "describe_machine", lambda: "Raspberry Pi 5 Model B")
        assert statuses(hardware.check_board())["picamera2"] == "amber"

    def test_an_old_processor_is_slow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "cpuinfo").write_text("flags : fpu sse4_2\n")
        monkeypatch.setattr(hardware, "_CPUINFO", tmp_path / "cpuinfo")
        monkeypatch.setattr(hardware.platform, "machine", lambda: "x86_64")
        assert statuses(hardware.check_processor()) == {"processor": "amber"}

    @pytest.mark.parametrize(
        ("capabilities", "of_device", "captures"),
        [
            (0x00000001, 0, True),
            (0x80000001, 0x00000001, True),
            (0x80000001, 0x00800000, False),
            (0x00000002, 0, False),
        ],
    )
    def test_codecs_are_no_cameras(
        self,
        capabilities: int,
        of_device: int,
        captures: bool,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        import fcntl

        def ioctl(device: int, request: int, argument: bytes) -> bytes:
            assert (request >> 16 & 0x3FFF, len(argument)) == (104, 104)
            return struct.pack("<84xII12x", capabilities, of_device)

        monkeypatch.setattr(fcntl, "ioctl", ioctl)
        (tmp_path / "video0").touch()
        assert hardware._can_capture(tmp_path / "video0") == captures

    def test_what_each_camera_gives(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "video0"
        path.touch()
        waits = threading.Event()

        def gives(_: str, seen: dict[str, Any]) -> None:
            seen.update(opened=True, frames=15, first=1.0, last=1.5, size=(640, 480))

        def gives_nothing(_: str, seen: dict[str, Any]) -> None:
            seen["opened"] = True
            waits.wait(10)

        def is_busy(_: str, seen: dict[str, Any]) -> None:
            seen["opened"] = False

        monkeypatch.setattr(hardware, "_PROBE_S", 0.2)
        read: Callable[[str, dict[str, Any]], None]
        for read, status, said in (
            (gives, "green", "640×480 pixels, 28 frames a second"),
            (gives_nothing, "red", "opens but delivers no images"),
            (is_busy, "amber", "cannot be opened"),
        ):
            monkeypatch.setattr(hardware, "_read", read)
            found = hardware._probe(path)
            assert found.status == status
            assert said in found.found
        waits.set()
