from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import UsageError
from fer_train.cli.main import run
from fer_train.data.output_place import check_outside_data


def make_data(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize("out", ["data", "data/run", "data/smile", "data/runs/one", "other/../data", "link"])
def test_output_among_label_folders_is_refused(out: str, tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", "smile/1.png", "other/1.png")
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to("data")
    with pytest.raises(UsageError, match="this folder is in the data"):
        check_outside_data(tmp_path / out, data)


@pytest.mark.parametrize("out", ["run", "data-run", "data/.runs/one", "."])
def test_output_elsewhere_is_not(out: str, tmp_path: Path) -> None:
    check_outside_data(tmp_path / out, make_data(tmp_path / "data", "smile/1.png", "other/1.png"))
    check_outside_data(tmp_path / out, tmp_path / "missing")


def test_a_folder_with_a_table_may_contain_runs(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", "fer2013.csv")
    check_outside_data(data / "runs/one", data)
    check_outside_data(data / "run", data / "fer2013.csv")
    for out in (data, data / "run"):  # its plots would make it look like a folder of images
        with pytest.raises(UsageError, match="choose a folder elsewhere"):
            check_outside_data(out, data)


def test_every_command_checks_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(make_data(tmp_path / "data", "smile/1.png", "other/1.png"))
    for command in (
        ["fit", data, "--out", data, "--overwrite"],
        ["evaluate", "default", data, "--out", data],
        ["inspect", data, "--plot", data],
        ["crop", data, "--out", data, "--overwrite"],
    ):
        assert run(command) == 2
        assert "this folder is in the data" in capsys.readouterr().err
    assert {path.name for path in Path(data).iterdir()} == {"smile", "other"}
