"""A policy with an RGB-D camera in the policy node, beside the simulated one, over real DDS."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from dataclasses import replace

import numpy as np
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import String

from vlm_robot_ros.bags.policy_inputs import RecordedRequests
from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.models.checkpoint import load_checkpoint, save_checkpoint
from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.msg import ActionChunk, VlmAction
from vlm_robot_ros.paths import share_dir
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("panda_sim_rgbd")
DEPTH = ROBOT.camera("front_depth")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The shipped words, and eyes of no experience for distances and for what was before."""
    shipped = load_checkpoint(share_dir() / "checkpoints" / "panda_sim")
    model = VisionLanguageRobotModel(replace(shipped.config, depth=DEPTH.name, history=1))
    known = {
        name: value
        for name, value in shipped.state_dict().items()
        if model.state_dict()[name].shape == value.shape
    }
    model.load_state_dict(known, strict=False)
    folder = tmp_path_factory.mktemp("rgbd")
    save_checkpoint(model, folder, {})
    return folder


def recorded(graph, topic):
    listeners = graph.node.get_subscriptions_info_by_topic(f"/{topic}")
    return any(listener.node_name == "recorder_node" for listener in listeners)


@pytest.mark.long
def test_it_waits_for_depth_and_its_calibration_and_then_plans(graph, checkpoint, tmp_path):
    actions, chunks = graph.listen(VlmAction, "action"), graph.listen(ActionChunk, "action_chunk")
    infos = graph.listen(CameraInfo, DEPTH.info_topic, qos_profile_sensor_data)
    words = graph.node.create_publisher(String, "instruction", 10)
    recorder = graph.start("recorder_node", bag=tmp_path / "bag", robot=ROBOT.name)
    sees = {"robot": ROBOT.name, "checkpoint": checkpoint, "use_sim_time": True}
    graph.start("policy_node", min_confidence=0.0, **sees)
    blind = graph.start("arm_sim_node", robot="panda_sim", seed=1)
    assert graph.until(lambda: actions, 100.0)
    assert graph.until(lambda: words.get_subscription_count() > 1)
    words.publish(String(data="go home"))
    reasons = set()

    def blinded():
        reasons.update(action.hold_reason for action in actions)
        return any("front_depth camera" in reason for reason in reasons)

    assert graph.until(blinded), reasons
    assert not chunks
    blind.terminate()
    graph.ended(blind)
    graph.start("arm_sim_node", robot=ROBOT.name, seed=1)
    assert graph.until(lambda: infos, 100.0)
    assert infos[-1].k[2] == pytest.approx((DEPTH.width - 1) / 2)
    # The recorder looks for new topics now and then only.
    assert graph.until(lambda: all(recorded(graph, camera.topic) for camera in ROBOT.cameras))
    words.publish(String(data="go home"))  # needs no sight
    assert graph.until(lambda: len(chunks) > 3, 100.0)
    assert np.isfinite(chunks[-1].values).all()
    recorder.terminate()
    graph.ended(recorder)
    inputs = list(RecordedRequests(read_recording(tmp_path / "bag")))
    assert inputs
    seen = inputs[0][0].observation.images[DEPTH.name]
    assert seen.shape == (DEPTH.height, DEPTH.width, 3)
    assert np.nanmedian(np.abs(seen[-20:, :, 2])) < 0.2  # the table, before the camera
