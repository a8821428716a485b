"""Bags in Rerun, read back by its own reader; and the layouts of other tools."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.paths import config_dir


def _entities(path):
    """Return what is in a file, by Rerun's own program."""
    command = [sys.executable, "-m", "rerun_cli", "rrd", "print", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"/[\w/]+", told))


def test_a_bag_is_shown(demo, tmp_path, capsys):
    pytest.importorskip("rerun", reason="needs rerun-sdk")
    out = tmp_path / "demo.rrd"
    assert main(["rerun", str(demo[0] / "bag"), "--out", str(out)]) == 0
    assert "messages shown" in capsys.readouterr().out
    entities = _entities(out)
    for wanted in (
        "/camera/front/image_raw", "/joint_states/panda_joint1", "/action/x", "/action/hold",
        "/task_label/label", "/instruction", "/latency/p50",
    ):  # fmt: skip
        assert wanted in entities, entities


def test_what_cannot_be_shown_is_told(tmp_path, capsys):
    try:
        import rerun  # noqa: F401

        said = "nothing"
    except ModuleNotFoundError:
        said = "viewing needs Rerun"
    assert main(["rerun", str(tmp_path / "nothing"), "--out", str(tmp_path / "x.rrd")]) != 0
    assert said in capsys.readouterr().err


def _panels(layout):
    return [layout] if isinstance(layout, str) else [
        panel for side in ("first", "second") for panel in _panels(layout[side])
    ]  # fmt: skip


def test_the_foxglove_layout_has_its_panels_and_our_topics():
    given = json.loads((config_dir() / "layouts" / "foxglove.json").read_text())
    assert sorted(_panels(given["layout"])) == sorted(given["configById"])
    text = json.dumps(given)
    for topic in ("/overlay", "/markers", "/instruction", "/action.values[0]", "/latency.p99",
                  "/joint_states.position[0]", "/task_label", "/diagnostics"):  # fmt: skip
        assert f'"{topic}"' in text


def test_the_plotjuggler_layout_has_the_curves_of_the_bag():
    tree = ElementTree.parse(config_dir() / "layouts" / "plotjuggler.xml")
    names = {curve.attrib["name"] for curve in tree.iter("curve")}
    assert "/joint_states/panda_joint7/position" in names
    assert "/action/values[6]" in names
    assert "/latency/p99" in names
