"""An arm at rest with a camera, for the tests of the policy node."""

import math
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vlm_robot_ros.msg import ActionChunk, TaskLabel, VlmAction
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.instructions import REPEAT_WINDOW_S

ROBOT = load_robot("panda_sim")
TOPIC = ROBOT.cameras[0].topic
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Rig:
    """An arm at rest with a camera, and ears on all that the node says."""

    def __init__(self, graph, pixels):
        self.graph, node = graph, graph.node
        self._said = {}
        self.clock = node.get_clock()
        self.pixels = pixels
        self.camera = node.create_publisher(Image, TOPIC, qos_profile_sensor_data)
        self.joints = node.create_publisher(JointState, "joint_states", 10)
        self.words = node.create_publisher(String, "instruction", 10)
        self.actions = graph.listen(VlmAction, "action")
        self.chunks = graph.listen(ActionChunk, "action_chunk")
        self.labels = graph.listen(TaskLabel, "task_label")
        self.health = graph.listen(DiagnosticArray, "/diagnostics")
        node.create_subscription(String, "current_instruction", self._on_taken, LATCHED)
        self.rest()
        node.create_timer(0.02, lambda: self.send_joints())
        node.create_timer(0.05, lambda: self.send_image())

    def rest(self):
        """Send good images and joint states."""
        self.send_image = lambda: self.camera.publish(self.image())
        self.send_joints = lambda: self.joints.publish(self.joint_state())

    def image(self, **changes):
        height, width, _ = self.pixels.shape
        image = Image(height=height, width=width, encoding="rgb8", step=3 * width)
        image.header.stamp = self.clock.now().to_msg()
        image.data = self.pixels.tobytes()
        for name, value in changes.items():
            setattr(image, name, value)
        return image

    def joint_state(self):
        message = JointState(name=[*ROBOT.joint_names, ROBOT.gripper.joint])
        message.header.stamp = self.clock.now().to_msg()
        message.position = [*ROBOT.home, ROBOT.gripper.open]
        return message

    def _on_taken(self, message):
        """Note when the node is known to have taken an instruction, later than it was sent."""
        self._said[message.data] = time.monotonic()

    def say(self, text):
        """Give an instruction, late enough to be none that somebody goes on repeating."""
        assert self.graph.until(lambda: self.words.get_subscription_count() > 0)
        counts = lambda: self._said.get(text, -math.inf) + REPEAT_WINDOW_S  # noqa: E731
        assert self.graph.until(lambda: time.monotonic() > counts())
        self._said[text] = time.monotonic()
        self.words.publish(String(data=text))

    def planned(self, drawn):
        """Return those of the messages drawn that are of plans: they bear the same stamps."""
        stamps = [chunk.header.stamp for chunk in self.chunks]
        return [message for message in drawn if message.header.stamp in stamps]

    def until_acting(self):
        del self.actions[:]
        acts = lambda: any(not action.hold for action in self.actions)  # noqa: E731
        assert self.graph.until(acts), f"it does not act: {self.actions[-1:]}"

    def until_held(self, reason):
        """Wait for a hold that says `reason`, and check what a hold is."""
        del self.actions[:]
        found = lambda: [a for a in self.actions if a.hold and reason in a.hold_reason]  # noqa: E731
        assert self.graph.until(found), f"never held for '{reason}': {self.actions[-1:]}"
        assert np.all(np.isfinite(found()[-1].values))
        assert found()[-1].confidence == 0.0


def bring_up(graph, scene, **parameters):
    made = Rig(graph, scene[0])
    made.process = graph.start("policy_node", **parameters)
    graph.until_up(lambda: made.actions)
    made.until_held("no instruction yet")
    made.command = f"pick up the {scene[1]}"
    return made


def change_state(rig, number):
    request = {"transition": Transition(id=number)}
    return rig.graph.call(ChangeState, "/policy_node/change_state", **request).success
