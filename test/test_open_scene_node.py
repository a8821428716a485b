"""The policy node with a detector and a depth camera, over DDS."""

import os

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from small_detectors import save_owl
from std_msgs.msg import String

from vlm_robot_ros.msg import SceneObjects, SimState, VlmAction


@pytest.mark.long
def test_the_node_looks_with_a_saved_detector_and_a_depth_camera(graph, tmp_path):
    save_owl(tmp_path / "owl", "owlv2")
    actions = graph.listen(VlmAction, "action")
    words = graph.node.create_publisher(String, "instruction", 10)
    robot = {"robot": "panda_sim_rgbd"}
    detector = f"hf:{tmp_path / 'owl'}"
    graph.start("policy_node", checkpoint="libero", detector=detector, use_sim_time=True, **robot)
    graph.start("arm_sim_node", seed=1, **robot)
    assert graph.until(lambda: actions, 100.0)
    assert graph.until(lambda: words.get_subscription_count() > 0)
    words.publish(String(data="pick up the red cube"))

    def told():
        return [each.hold_reason for each in actions if "I see" in each.hold_reason]

    assert graph.until(told, 60.0), {each.hold_reason for each in actions}
    assert "red cube" in told()[0]


RED = """
import numpy as np
from vlm_robot_ros.interfaces.detector import Detection


class Red:
    def __init__(self, device):
        pass

    def detect(self, image, phrases):
        red, green, blue = (image[..., channel].astype(int) for channel in range(3))
        mask = (red > 70) & (red > 3 * green) & (red > 3 * blue)
        if not mask.any():
            return []
        rows, columns = np.nonzero(mask)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)
        return [Detection(phrase, box, 0.9, mask) for phrase in phrases if "red" in phrase]
"""


def test_the_node_publishes_what_it_sees_where_it_is(graph, tmp_path, monkeypatch):
    (tmp_path / "red_things.py").write_text(RED)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    seen = graph.listen(SceneObjects, "objects")
    states = graph.listen(SimState, "/arm_sim_node/state")
    words = graph.node.create_publisher(String, "instruction", 10)
    robot = {"robot": "panda_sim_rgbd"}
    given = {"checkpoint": "libero", "detector": "red_things:Red", "output": "dry"}
    graph.start("policy_node", use_sim_time=True, **given, **robot)
    graph.start("arm_sim_node", seed=43, **robot)
    assert graph.until(lambda: states and words.get_subscription_count() > 0, 100.0)
    words.publish(String(data="pick up the red cube"))
    assert graph.until(lambda: seen and seen[-1].objects, 60.0)
    assert seen[-1].header.frame_id == "panda_link0"
    (cube,) = seen[-1].objects
    true = states[-1].positions[states[-1].objects.index("red cube")]
    assert (cube.phrase, cube.grip_problem, cube.container) == ("red cube", "", False)
    assert cube.pose.position.x == pytest.approx(true.x, abs=0.01)
    assert cube.pose.position.y == pytest.approx(true.y, abs=0.01)
    assert cube.size.x == pytest.approx(0.045, abs=0.012)
    assert 0.5 < cube.score <= 1.0
