"""The launch files under the real `launch` and `launch_ros`."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
pytest.importorskip("launch_ros.actions", reason="needs launch_ros, which the wheels lack")

from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String

from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.robot.loader import contract_file

LAUNCH = Path(__file__).parent.parent / "launch"
# What `ros2 launch FILE name:=value` does.
_RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
path, *pairs = sys.argv[1:]
arguments = [tuple(pair.split(":=")) for pair in pairs]
service = LaunchService()
source = PythonLaunchDescriptionSource(path)
include = IncludeLaunchDescription(source, launch_arguments=arguments)
service.include_launch_description(LaunchDescription([include]))
sys.exit(service.run())
"""


def test_the_demo_runs_under_launch_and_ends_by_itself(graph, tmp_path):
    out = tmp_path / "run"
    process = graph.python(
        "-c", _RUN, str(LAUNCH / "demo.launch.py"),
        "seed:=4", "commands:=1", "robot:=ur5e_sim", f"out:={out}",
    )  # fmt: skip
    errors = graph.ended(process, 200)
    assert process.returncode == 0, errors
    assert len(json.loads((out / "summary.json").read_text())["commands"]) == 1
    assert read_recording(out / "bag").robot.name == "ur5e_sim"
    assert (out / "demo.mp4").stat().st_size > 1000


def test_the_policy_runs_under_launch_with_its_parameter_file(graph):
    health = graph.listen(DiagnosticArray, "/diagnostics")
    process = graph.python("-c", _RUN, str(LAUNCH / "policy.launch.py"))
    # The first may come before the node had time to look for them.
    missed = lambda: health and health[-1].status[0].message.startswith("holding: joint states")  # noqa: E731
    assert graph.until(missed, 100.0)
    process.send_signal(signal.SIGINT)
    graph.ended(process)
    assert process.returncode == 0


@pytest.mark.parametrize(
    "arm", ["fr3", "panda", "ur5e", "gen3", "xarm7", "iiwa7", "so101", "isaac"]
)
def test_each_arm_has_a_launch_file_that_waits_for_it(graph, arm):
    health = graph.listen(DiagnosticArray, "/diagnostics")
    path = str(LAUNCH / f"{arm}.launch.py")
    process = graph.python("-c", _RUN, path, "policy:=hold", "namespace:=one")
    facts = lambda: {v.key: v.value for v in health[-1].status[0].values}  # noqa: E731
    assert graph.until(lambda: health and health[-1].status[0].values, 100.0)
    isaac = arm == "isaac"
    assert facts()["robot"] == ("isaac_franka" if isaac else arm)
    assert facts()["output"] == ("live" if isaac else "dry")
    assert health[-1].status[0].name == "one/policy_node: policy"
    process.send_signal(signal.SIGINT)
    graph.ended(process)
    assert process.returncode == 0


def test_the_camera_may_be_on_another_topic(graph):
    process = graph.python(
        "-c", _RUN, str(LAUNCH / "ur5e.launch.py"), "camera:=/camera/color/image_raw"
    )
    there = lambda: graph.node.count_subscribers("/camera/color/image_raw")  # noqa: E731
    assert graph.until(there, 100.0)
    assert not graph.node.count_subscribers("/camera/front/image_raw")
    process.send_signal(signal.SIGINT)
    graph.ended(process)
    assert process.returncode == 0


def test_a_wrong_argument_is_told(graph, capfd):
    process = graph.python("-c", _RUN, str(LAUNCH / "policy.launch.py"), "robot:=r2d2")
    graph.ended(process)
    assert "no robot 'r2d2'; shipped: fr3" in capfd.readouterr().out


def test_recording_runs_under_launch(graph, tmp_path):
    said = graph.node.create_publisher(String, "instruction", 10)
    bag = tmp_path / "bag"
    process = graph.python(
        "-c", _RUN, str(LAUNCH / "record.launch.py"), f"bag:={bag}", "robot:=fr3"
    )
    assert graph.until(lambda: said.get_subscription_count() > 0, 100.0)
    said.publish(String(data="go home"))
    process.send_signal(signal.SIGINT)
    graph.ended(process)
    assert read_recording(bag).robot.name == "fr3"


def test_the_voice_runs_under_launch(graph, tmp_path, capfd):
    wav = tmp_path / "none.wav"
    process = graph.python("-c", _RUN, str(LAUNCH / "policy.launch.py"), f"voice:={wav}")
    printed = []

    def found():
        printed.append(capfd.readouterr().out)
        return "valid: a wav file of 16-bit samples" in "".join(printed)

    assert graph.until(found, 100.0)
    process.send_signal(signal.SIGINT)
    graph.ended(process)


_DRIVER = """
import sys, runpy
from pathlib import Path
from launch import LaunchContext
from launch_ros.utilities import evaluate_parameters
module = runpy.run_path(sys.argv[1])
context = LaunchContext()
context.launch_configurations.update(robot=sys.argv[2], namespace="cell/", serial_no="0123")
(node,) = module["_driver"](context)
node._perform_substitutions(context)
print(node.node_name)
for name, value in evaluate_parameters(context, node._Node__parameters)[0].items():
    print(f"{name}={value}")
"""


def test_a_realsense_runs_with_the_sizes_and_rates_of_the_contract(graph, tmp_path):
    text = contract_file("panda_sim_rgbd").read_text()
    for old, new in (("camera/front/image_raw", "camera/color/image_raw"),
                     ("camera/front/depth/image_rect_raw",
                      "camera/aligned_depth_to_color/image_raw")):  # fmt: skip
        text = text.replace(old, new)
    (tmp_path / "mine.yaml").write_text(text)
    process = graph.python(
        "-c", _DRIVER, str(LAUNCH / "realsense.launch.py"), str(tmp_path / "mine.yaml"),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    said, _ = process.communicate(timeout=60)
    assert said.splitlines()[0] == "/cell/camera"
    assert "rgb_camera.color_profile=512x512x10" in said
    assert "align_depth.enable=True" in said
    assert "serial_no=0123" in said


def test_a_contract_without_a_realsense_is_told_what_is_valid(graph):
    process = graph.python(
        "-c", _DRIVER, str(LAUNCH / "realsense.launch.py"), "panda_sim_rgbd",
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _, said = process.communicate(timeout=60)
    assert "valid for a RealSense: NAME/color/image_raw" in said
