"""A depth camera whose place comes from TF, in the policy node, over real DDS."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
pytest.importorskip("tf2_msgs", reason="needs the package tf2_msgs, which no wheel has")

import numpy as np
import yaml
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from test_depth_node import DEPTH, ROBOT, checkpoint, recorded  # noqa: F401
from tf2_msgs.msg import TFMessage

from vlm_robot_ros.bags.policy_inputs import RecordedRequests
from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.kinematics.kinematics import quaternion_transform, transform_to_pose7
from vlm_robot_ros.msg import ActionChunk, VlmAction
from vlm_robot_ros.robot.loader import contract_file

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def contract(tmp_path):
    """The simulated arm's, as of a real one whose driver publishes where the camera is."""
    content = yaml.safe_load(contract_file(ROBOT.name).read_text())
    content["simulation"] = ""
    for camera in content["cameras"]:
        if camera.pop("pose", None):
            camera["pose_from_tf"] = True
    path = tmp_path / "arm_with_tf.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def mounted():
    """Return where the simulated camera is, as a driver says it."""
    x, y, z, *turn = map(float, transform_to_pose7(quaternion_transform(DEPTH.pose)))
    found = TransformStamped(child_frame_id=DEPTH.frame)
    found.header.frame_id = ROBOT.base_frame
    place, rotation = found.transform.translation, found.transform.rotation
    place.x, place.y, place.z = x, y, z
    rotation.x, rotation.y, rotation.z, rotation.w = turn
    return TFMessage(transforms=[found])


@pytest.mark.long
def test_it_holds_until_tf_has_the_camera_and_then_measures_as_with_the_contract(
    graph, checkpoint, contract, tmp_path  # noqa: F811
):  # fmt: skip
    actions, chunks = graph.listen(VlmAction, "action"), graph.listen(ActionChunk, "action_chunk")
    words = graph.node.create_publisher(String, "instruction", 10)
    recorder = graph.start("recorder_node", bag=tmp_path / "bag", robot=contract)
    graph.start(
        "policy_node", robot=contract, checkpoint=checkpoint, min_confidence=0.0,
        use_sim_time=True, output="dry",
    )  # fmt: skip
    graph.start("arm_sim_node", robot=ROBOT.name, seed=1)
    graph.until_up(lambda: actions)
    assert graph.until(lambda: words.get_subscription_count() > 1)
    assert graph.until(lambda: all(recorded(graph, camera.topic) for camera in ROBOT.cameras))
    words.publish(String(data="go home"))
    reasons = set()

    def missed():
        reasons.update(action.hold_reason for action in actions)
        return any(f"there is no frame '{DEPTH.frame}'" in reason for reason in reasons)

    assert graph.until(missed, 60.0), reasons
    assert not chunks
    tf = graph.node.create_publisher(TFMessage, "/tf_static", LATCHED)
    tf.publish(mounted())
    assert graph.until(lambda: recorded(graph, "tf_static"))
    assert graph.until(lambda: len(chunks) > 3, 60.0)
    recorder.terminate()
    graph.ended(recorder)
    inputs = [asked for asked, _ in RecordedRequests(read_recording(tmp_path / "bag"))]
    assert inputs
    seen = inputs[-1].observation
    np.testing.assert_allclose(seen.camera_poses[DEPTH.name], DEPTH.pose, atol=1e-6)
    assert np.nanmedian(np.abs(seen.images[DEPTH.name][-20:, :, 2])) < 0.2  # the table
