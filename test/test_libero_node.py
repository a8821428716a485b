"""LIBERO behind the topics: the running node acts on it as on any arm.

They need LIBERO in an interpreter of its own: `VLM_ROBOT_LIBERO_PYTHON`.
"""

import os

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, String

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.libero.environment import PYTHON_VARIABLE
from vlm_robot_ros.srv import ResetScene

needs_libero = pytest.mark.skipif(
    not os.environ.get(PYTHON_VARIABLE), reason=f"needs LIBERO: {PYTHON_VARIABLE}"
)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
ROBOT = load_robot("libero")


@needs_libero
@pytest.mark.long
def test_the_environment_follows_poses_and_says_what_is_asked_for(graph):
    joints = graph.listen(JointState, "joint_states")
    images = graph.listen(Image, "camera/front/image_raw", qos_profile_sensor_data)
    words = graph.listen(String, "/libero_sim_node/instruction", LATCHED)
    done = graph.listen(Bool, "/libero_sim_node/fulfilled", LATCHED)
    commands = graph.node.create_publisher(VlmAction, "action", 10)
    graph.start("libero_sim_node", suite="goal", task=8)
    graph.until_up(lambda: joints and images and words and done)
    assert words[0].data == "put the bowl on the plate"
    assert not done[0].data
    assert (images[0].height, images[0].width) == (256, 256)
    kinematics = Kinematics(ROBOT)

    def pose():
        return transform_to_pose7(kinematics.forward(np.array(joints[-1].position[:7])))

    goal = pose() + np.array([0.05, 0.04, -0.06, 0, 0, 0, 0])

    def reached():
        message = VlmAction(mode=int(ActionMode.END_EFFECTOR_POSE), gripper=0.0)
        message.header.stamp = joints[-1].header.stamp
        message.values = goal.tolist()
        commands.publish(message)
        graph.until(lambda: False, 0.05)
        return np.linalg.norm(pose()[:3] - goal[:3]) < 0.01

    assert graph.until(reached)
    assert graph.until(lambda: joints[-1].position[7] < 0.01)
    moved = joints[-1].header.stamp
    assert graph.call(ResetScene, "/libero_sim_node/reset", seed=3).success
    assert graph.until(lambda: np.linalg.norm(pose()[:3] - goal[:3]) > 0.03)
    assert joints[-1].header.stamp.sec >= moved.sec, "time went back"
