"""Errors and warnings of commands stand on lines of their own, below or above progress bars."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from tqdm import tqdm

from vlm_robot_ros.cli.terminal_output import print_error, route_warnings

BRIDGE = Path(__file__).parent / "data" / "rlds" / "tiny_bridge" / "1.0.0"


def test_an_error_in_the_midst_of_a_progress_bar_begins_a_line(tmp_path):
    made = tmp_path / "set"
    shutil.copytree(BRIDGE, made)
    file = next(made.glob("*train*"))
    whole = file.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    second = length + 16 + 12
    file.write_bytes(whole[:second] + b"\xff" * 100 + whole[second + 100 :])
    code = "import sys; from vlm_robot_ros.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = ["data", "inspect", str(made), "--out", str(tmp_path / "x.png")]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], stderr=subprocess.PIPE, text=True, timeout=100
    )
    assert done.returncode == 2
    lines = done.stderr.split("\n")
    assert any("reading:" in line for line in lines)  # the bar had begun
    assert [line for line in lines if line.startswith("vlm-robot: ")], lines


def test_an_error_closes_the_bars_that_are_open(capsys):
    bar = tqdm(total=10, desc="open")
    bar.update()
    print_error("vlm-robot: broken")
    last = capsys.readouterr().err.rstrip("\n").split("\n")[-1]
    assert last == "vlm-robot: broken"
    assert bar.disable  # as a closed one is


def test_a_warning_stands_above_a_bar_that_goes_on(capsys, monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    route_warnings()
    with tqdm(total=10, desc="open") as bar:
        bar.update()
        with pytest.warns(UserWarning, match="odd"):
            warnings.warn("odd", UserWarning, stacklevel=1)
        capsys.readouterr()
        warnings.showwarning(UserWarning("odd"), UserWarning, "file.py", 3)
        said = capsys.readouterr().err
    assert "\rfile.py:3: UserWarning: odd\n" in said.replace(" \r", "\r")


@pytest.mark.parametrize("home", ["~", "~root"])
def test_a_path_option_may_begin_with_a_home_folder(tmp_path, monkeypatch, capsys, home):
    from vlm_robot_ros.cli.main import main

    if home == "~":
        monkeypatch.setenv("HOME", str(tmp_path))
    folder = Path(home).expanduser()
    assert main(["data", "inspect", f"{home}/no-such-set"]) == 2
    assert f"no data in '{folder}/no-such-set'" in capsys.readouterr().err
    assert main(["contract", "check", f"{home}/no-such-arm.yaml"]) == 2
    assert f"no contract file at '{folder}/no-such-arm.yaml'" in capsys.readouterr().err
    assert main(["bag", "report", f"{home}/no-such-bag"]) == 2
    assert f"'{folder}/no-such-bag'" in capsys.readouterr().err
