"""What the README promises is there."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("node", ["policy_node", "arm_sim_node", "recorder_node", "voice_node"])
def test_every_parameter_of_a_node_is_in_the_readme(node):
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    specs = importlib.import_module(f"vlm_robot_ros.nodes.{node}").PARAMETERS
    missing = [spec.name for spec in specs if f"`{spec.name}`" not in README]
    assert missing == []


def test_every_file_that_the_documents_link_to_exists():
    for document in (
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "MIGRATION.md",
        "checkpoints/panda_sim/README.md",
    ):
        path = ROOT / document
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{document} links to {link}"


def test_only_the_nodes_import_rclpy_and_the_lower_rooms_do_not_look_up():
    above = {
        "contract": ("control", "policy", "models", "data", "sim", "training", "evaluation"),
        "control": ("policy", "models", "data", "sim", "training", "evaluation"),
        "models": ("control", "policy", "contract", "data", "sim", "training", "evaluation"),
        "policy": ("control", "data", "sim", "training", "evaluation"),
        "sim": ("control", "policy", "models", "training", "evaluation"),
        "training": ("control", "bags"),
        "evaluation": ("training", "bags"),
        "data": ("bags", "policy", "models", "sim", "training", "evaluation"),
        "speech": ("policy", "models", "training", "evaluation", "bags", "data"),
        "bags": ("speech", "models", "sim", "training", "nodes"),
        "nodes": ("models", "training", "bags", "cli"),
    }
    package = ROOT / "vlm_robot_ros"
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0]
        text = path.read_text()
        if room != "nodes":
            assert not re.search(r"^\s*(import|from) rclpy", text, re.M), path
        if room not in ("nodes", "cli"):
            assert "vlm_robot_ros.nodes" not in text, path
        for other in above.get(room, ()):
            assert f"from vlm_robot_ros.{other}" not in text, f"{path} imports {other}"
