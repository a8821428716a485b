"""From a camera's image to the plan, while a detector takes long: the policy node must not wait.

    python benchmarks/slow_detector.py [--seconds 30]

A colour and a depth camera show a block on a table, ten times a second, and the arm stands still.
The node looks for the block with a detector that sleeps for so long and then tells where it is; it
holds a core for none of that time, as a detector on a GPU would. Counted is the time from the
image's stamp until the plan for it is heard.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String

from vlm_robot_ros.data.camera_input import backproject_depth
from vlm_robot_ros.interfaces.detector import Detection
from vlm_robot_ros.msg import ActionChunk
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.image_messages import from_depth, from_rgb

ROBOT = load_robot("panda_sim_rgbd")
DEPTH = ROBOT.camera("front_depth")
_FOCAL = DEPTH.width / 2 / np.tan(np.deg2rad(22.5))
MATRIX = np.array([[_FOCAL, 0, (DEPTH.width - 1) / 2], [0, _FOCAL, (DEPTH.height - 1) / 2],
                   [0, 0, 1]])  # fmt: skip
_LOW, _HIGH = np.array([0.47, 0.1, 0.008]), np.array([0.51, 0.16, 0.06])
"""Corners of the block, in the base frame [m]."""
_RATE = 10.0
"""Images a second."""
WORDS = "pick up the block"


def block_scene() -> tuple[np.ndarray, np.ndarray]:
    """Return how far away what each pixel shows is, and whether it is the block. Shapes (H, W)."""
    eye = np.array(DEPTH.pose[:3])
    ways = backproject_depth(np.ones((DEPTH.height, DEPTH.width)), MATRIX, DEPTH.pose) - eye
    table = np.where(ways[..., 2] < 0, (_LOW[2] - eye[2]) / ways[..., 2], 4.0)
    ends = np.stack([(side - eye) / ways for side in (_LOW, _HIGH)])
    near, far = ends.min(0).max(-1), ends.max(0).min(-1)
    shown = (near < far) & (near < table)
    return np.where(shown, near, table).astype(np.float32), shown


class Instant:
    """Knows where the block is."""

    seconds = 0.0

    def __init__(self, device: str) -> None:
        _, self._shown = block_scene()

    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> list[Detection]:
        """Return the block, after a while."""
        time.sleep(self.seconds)
        scale = image.shape[0] // self._shown.shape[0]
        mask = np.repeat(np.repeat(self._shown, scale, 0), scale, 1)
        rows, columns = np.nonzero(mask)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)
        return [Detection(phrase, box, 0.9, mask) for phrase in phrases if phrase == "block"]


class After200Ms(Instant):
    """Takes 0.2 s."""

    seconds = 0.2


class After1S(Instant):
    """Takes 1 s."""

    seconds = 1.0


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="a row")
    args = parser.parse_args()
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    rclpy.init()
    print("| the detector takes | plans | p50 ms | p99 ms | p99, part of the first |")
    print("| --- | --- | --- | --- | --- |")
    first = 0.0
    for kind in (Instant, After200Ms, After1S):
        taken = _measure(kind.__name__, args.seconds)
        p50, p99 = 1e3 * np.percentile(taken, (50, 99))
        first = first or p99
        print(f"| {kind.seconds:g} s | {len(taken)} | {p50:.1f} | {p99:.1f} | {p99 / first:.2f} |",
              flush=True)  # fmt: skip
    rclpy.shutdown()


def _measure(kind: str, seconds: float) -> list[float]:
    """Return how long the plans of so many seconds took, from when the arm first moves [s]."""
    code = "import sys; from vlm_robot_ros.nodes.policy_node import main; sys.exit(main())"
    paths = f"{Path(__file__).parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    node = subprocess.Popen(
        [sys.executable, "-c", code, "--ros-args", "-p", f"robot:={ROBOT.name}",
         "-p", "checkpoint:=libero", "-p", f"detector:=slow_detector:{kind}", "-p", "output:=dry"],
        env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    try:
        return _Scene().measure(seconds)
    finally:
        node.terminate()
        node.wait()


class _Scene:
    """Cameras and arm, and who hears the plans."""

    def __init__(self) -> None:
        self._node = rclpy.create_node("scene")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        colour = next(each for each in ROBOT.colour_cameras if each.frame == DEPTH.frame)
        make, qos = self._node.create_publisher, qos_profile_sensor_data
        self._publishers = [make(Image, colour.topic, qos), make(Image, DEPTH.topic, qos)]
        self._info = make(CameraInfo, DEPTH.info_topic, qos)
        self._joints = make(JointState, ROBOT.topic("joint_states"), qos)
        self._words = make(String, "instruction", 1)
        image = np.random.default_rng(0).integers(
            0, 255, (colour.height, colour.width, 3), np.uint8
        )
        self._images = [from_rgb(image), from_depth(block_scene()[0])]
        self._heard: list[tuple[float, bool]] = []
        self._node.create_subscription(ActionChunk, "action_chunk", self._hear, 10)
        self._node.create_timer(1 / ROBOT.joint_state_rate, self._send_joints)
        self._node.create_timer(1 / _RATE, self._send_images)

    def measure(self, seconds: float) -> list[float]:
        """Return what plans took, from the first that moves on [s]."""
        while not self._words.get_subscription_count():
            self._executor.spin_once(0.1)
        self._words.publish(String(data=WORDS))
        begun = time.monotonic()
        while not any(moves for _, moves in self._heard):
            self._executor.spin_once(0.1)
            if time.monotonic() - begun > 120.0:
                raise TimeoutError("the policy holds; see the node's output")
        self._heard.clear()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(0.1)
        self._executor.shutdown()
        self._node.destroy_node()
        return [taken for taken, _ in self._heard]

    def _hear(self, chunk: ActionChunk) -> None:
        taken = self._node.get_clock().now() - Time.from_msg(
            chunk.header.stamp, self._node.get_clock().clock_type
        )
        self._heard.append((taken.nanoseconds * 1e-9, chunk.horizon > 1))

    def _send_images(self) -> None:
        stamp = self._node.get_clock().now().to_msg()
        info = CameraInfo(height=DEPTH.height, width=DEPTH.width, k=MATRIX.ravel().tolist())
        info.header.stamp, info.header.frame_id = stamp, DEPTH.frame
        self._info.publish(info)
        for publisher, image in zip(self._publishers, self._images, strict=True):
            image.header.stamp, image.header.frame_id = stamp, DEPTH.frame
            publisher.publish(image)

    def _send_joints(self) -> None:
        names = [joint.name for joint in ROBOT.joints]
        positions = [float(each) for each in ROBOT.home]
        if ROBOT.has_gripper:
            names.append(ROBOT.gripper.joint)
            positions.append(float(ROBOT.gripper.open))
        message = JointState(name=names, position=positions)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._joints.publish(message)


if __name__ == "__main__":
    main()
