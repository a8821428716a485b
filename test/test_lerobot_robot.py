"""LeRobot drives the simulated arm through the policy node, by the plug-in of `integrations`."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from bench import SINKS, Bench, contract  # noqa: E402

from vlm_robot_ros.msg import EpisodeMark  # noqa: E402
from vlm_robot_ros.policies.lerobot.policy_process import PYTHON_VARIABLE  # noqa: E402

PLUGIN = Path(__file__).parent.parent / "integrations" / "lerobot_robot_vlm_robot_ros"
_DRIVE = """
import json
import sys
import time

from lerobot.robots.config import RobotConfig
from lerobot.robots.utils import make_robot_from_config
from lerobot.utils.import_utils import register_third_party_plugins

register_third_party_plugins()
cls = RobotConfig.get_choice_class("vlm_robot_ros")
with make_robot_from_config(cls(contract=__import__("pathlib").Path(sys.argv[1]))) as robot:
    first = robot.get_observation()
    assert set(first) == set(robot.observation_features)
    goal = {name: first[name] for name in robot.action_features}
    goal["panda_joint1.pos"] += 0.2
    goal["gripper.pos"] = 0.5
    until = time.monotonic() + 30
    while time.monotonic() < until:
        robot.send_action(goal)
        seen = robot.get_observation()
        moved = seen["panda_joint1.pos"] - first["panda_joint1.pos"]
        if abs(moved - 0.2) < 0.01 and abs(seen["gripper.pos"] - 0.5) < 0.05:
            break
        time.sleep(1 / 30)
print(json.dumps({"moved": moved, "opening": seen["gripper.pos"],
                  "image": list(seen["front"].shape), "type": robot.name}))
"""


def lerobot_python():
    """Return LeRobot's interpreter, with rclpy in it."""
    python = os.environ.get(PYTHON_VARIABLE, "")
    if not python:
        pytest.skip(f"needs LeRobot: {PYTHON_VARIABLE}=/path/to/its/python")
    found = subprocess.run([python, "-c", "import rclpy, sensor_msgs"], env=environment(),
                           capture_output=True, check=False)  # fmt: skip
    if found.returncode:
        pytest.skip("LeRobot's interpreter has no rclpy")
    return python


def environment(**added):
    """Return an environment without what belongs to this interpreter, and with something else."""
    own = ("PYTHONPATH", "LD_LIBRARY_PATH", "AMENT_PREFIX_PATH", "VIRTUAL_ENV",
           "_ROS_WHEELS_BOOTSTRAP_COMPLETE")  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return {**kept, **added}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the plug-in is installed in: LeRobot looks for installed packages."""
    python, folder = lerobot_python(), tmp_path_factory.mktemp("installed")
    build = tmp_path_factory.mktemp("build") / PLUGIN.name
    shutil.copytree(PLUGIN, build)
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--python", python]
    subprocess.run([*command, "--target", str(folder), str(build)], check=True)
    return folder


def test_lerobot_moves_the_arm_through_the_node(installed, lasting_graph, tmp_path):
    path = contract(tmp_path, sinks=SINKS)
    bench = Bench(lasting_graph, path, policy="hold")
    marks = lasting_graph.listen(EpisodeMark, "episode_mark")
    run = subprocess.Popen(
        [lerobot_python(), "-c", _DRIVE, str(path)],
        env=environment(ROS_DOMAIN_ID=str(lasting_graph.domain), PYTHONPATH=str(installed)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert lasting_graph.until(lambda: run.poll() is not None, 120.0)
    out, errors = run.communicate()
    assert run.returncode == 0, errors
    told = json.loads(out.splitlines()[-1])
    assert told["moved"] == pytest.approx(0.2, abs=0.01)
    assert told["opening"] == pytest.approx(0.5, abs=0.05)
    assert told["image"] == [256, 256, 3]
    ended = lambda: [m.event for m in marks][-1:] == [EpisodeMark.INTERVENTION_END]  # noqa: E731
    assert lasting_graph.until(ended)
    bench.until_still()
