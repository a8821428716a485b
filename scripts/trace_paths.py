#!/usr/bin/env python3
"""Count the files between an image and a joint command, and between a stop and its effect.

Runs a policy node next to a camera and an arm that follows exactly, all in this process, and notes
in which files of the package functions are called: from the image's callback until the message of
the command sink is published; and from the callback of a stop until the control loop is stopped,
after which the next ticks brake the arm as on any hold. The files of the policy are those of
`Policy.infer`; another policy has others.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import rclpy
import yaml
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

import vlm_robot_ros
from vlm_robot_ros.cli.node_processes import prepare_domain
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.nodes.policy_node import PolicyNode
from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.controller_topics import contract_with_sink
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.tasks.scene import sample_scene

PACKAGE = Path(vlm_robot_ros.__file__).resolve().parent
MAX_IMAGE_FILES, MAX_STOP_FILES = 30, 5
SETPOINTS = "motion/setpoint_generator.py"
TYPES = ("interfaces/", "robot/config.py")
"""Files that define types, which many others use; they are listed and not counted."""
TIMEOUT_S = 60.0
MOVING_RAD_S = 0.05
"""An arm that is faster is in motion [rad/s]."""


Segments = list[tuple[str, str]]
"""The first and the last function of each part of a path."""


class FileTrace:
    """Notes files of the package, in the order in which functions in them are first called.

    Each segment is noted in the thread that calls its first function, from that call until its
    last function returns.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.done = threading.Event()
        self.done.set()

    def start(self, segments: Segments) -> None:
        """Take the first and the last function of each segment, as in `Class.function`."""
        self.files: list[list[str]] = [[] for _ in segments]
        self._segments, self._number, self._thread = segments, 0, 0
        self.done.clear()
        sys.setprofile(self.hook)

    def hook(self, frame: FrameType, event: str, _: object) -> None:
        """Be the profile function of a thread."""
        if event not in ("call", "return") or self.done.is_set():
            return
        code = frame.f_code
        name = self._name(code.co_filename)
        if not name:
            return
        first, last = self._segments[self._number]
        if not self._thread and event == "call" and code.co_qualname == first:
            self._thread = threading.get_ident()
        if self._thread != threading.get_ident():
            return
        files = self.files[self._number]
        if event == "call" and name not in files:
            files.append(name)
        if event == "return" and code.co_qualname == last:
            self._thread, self._number = 0, self._number + 1
            if self._number == len(self._segments):
                self.done.set()

    def _name(self, path: str) -> str:
        """Return a file's path in the package; empty if it is not in it."""
        if path not in self._names:
            resolved = Path(path).resolve()
            inside = PACKAGE in resolved.parents
            self._names[path] = str(resolved.relative_to(PACKAGE)) if inside else ""
        return self._names[path]


IMAGE_SEGMENTS: Segments = [
    ("ObservationBuffer.on_image", "InferenceWorker.submit"),
    ("SubprocessPolicy.infer", "SharedArrayWriter.send"),
    ("PolicyRuntime._on_chunk", "ControlLoop.set_chunk"),
    ("PolicyRuntime._tick", "CommandPublisher.publish"),
]
"""In the node; the policy itself runs between the second and the third."""
STOPS = {
    "stop word": ("InstructionInput._on_message", "ControlLoop.set_instruction"),
    "~/stop": ("GateServices.on_stop", "ControlLoop.stop"),
    "~/enable": ("GateServices.on_enable", "ControlLoop.enable"),
}
"""The first and the last function of each stop that comes from outside."""


class Bench:
    """A policy node, a camera and an arm that follows its trajectories."""

    def __init__(self, folder: Path) -> None:
        contract = folder / "arm.yaml"
        content = yaml.safe_load(contract_with_sink("panda_sim", "joint_trajectory"))
        content["sinks"] = content["sinks"][:1]
        contract.write_text(yaml.safe_dump(content))
        robot = load_robot(contract)
        simulator = Simulator(robot)
        simulator.reset(sample_scene(np.random.default_rng(7)))
        self.image = simulator.render("front")
        self.thing = simulator.scene.things[0]
        self.observation = Observation(
            {"front": self.image},
            transform_to_pose7(Kinematics(robot).forward(np.array(robot.home))),
            1.0,
            f"pick up the {self.thing.colour} {self.thing.shape}",
            np.array(robot.home),
            0.0,
        )
        simulator.close()
        rclpy.init(
            args=["--ros-args", "-p", f"robot:={contract}", "-p", "autostart:=true",
                  "-p", "output:=live"]
        )  # fmt: skip
        self._node = rclpy.create_node("bench")
        self._camera = self._node.create_publisher(
            Image, robot.cameras[0].topic, qos_profile_sensor_data
        )
        self._joints = self._node.create_publisher(JointState, "joint_states", 10)
        self._instruction = self._node.create_publisher(String, "instruction", 10)
        self._node.create_subscription(
            JointTrajectory, "joint_trajectory", self._on_trajectory, 10
        )
        self._robot = robot
        self._trajectory: JointTrajectory | None = None
        self.moves = False
        self._node.create_timer(0.02, self._publish_joints)
        self._node.create_timer(0.1, self._publish_image)
        self._executor = SingleThreadedExecutor()
        self._policy_node = PolicyNode()
        for node in (self._node, self._policy_node):
            self._executor.add_node(node)

    def say(self, text: str) -> None:
        """Publish an instruction."""
        self._instruction.publish(String(data=text))

    def call(self, kind: type, name: str, request: object) -> None:
        """Call a service of the policy node."""
        client: Any = self._node.create_client(kind, f"policy_node/{name}")
        self.until(client.service_is_ready)
        self.until(client.call_async(request).done)

    def until(self, done: Callable[[], bool]) -> None:
        """Let the nodes work until `done()`.

        Raises:
            TimeoutError: it takes longer than `TIMEOUT_S`.
        """
        end = time.monotonic() + TIMEOUT_S
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"not done within {TIMEOUT_S:g} s")
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        """End the nodes."""
        self._policy_node.close()
        for node in (self._node, self._policy_node):
            node.destroy_node()
        rclpy.shutdown()

    def _on_trajectory(self, message: JointTrajectory) -> None:
        self._trajectory = message

    def _joint_positions(self, now: float) -> np.ndarray:
        """Return where an arm is that follows its trajectory exactly. Shape (J,), [rad]."""
        if self._trajectory is None:
            return np.array(self._robot.home)
        points, stamp = self._trajectory.points, self._trajectory.header.stamp
        spans = [each.time_from_start for each in points]
        times = [stamp.sec + span.sec + 1e-9 * (stamp.nanosec + span.nanosec) for span in spans]
        columns = np.array([each.positions for each in points]).T
        return np.array([np.interp(now, times, column) for column in columns])

    def _publish_joints(self) -> None:
        robot = self._robot
        now = self._node.get_clock().now()
        positions = self._joint_positions(now.nanoseconds * 1e-9)
        later = self._joint_positions(now.nanoseconds * 1e-9 + 0.02)
        self.moves = bool(np.max(np.abs(later - positions)) / 0.02 > MOVING_RAD_S)
        message = JointState(name=[*robot.joint_names, robot.gripper.joint])
        message.header.stamp = now.to_msg()
        message.position = [*positions, robot.gripper.open]
        self._joints.publish(message)

    def _publish_image(self) -> None:
        height, width, _ = self.image.shape
        message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.data = self.image.tobytes()
        self._camera.publish(message)


def trace_policy(trace: FileTrace, observation: Observation) -> list[str]:
    """Return the files of the shipped policy."""
    policy = load_policy("fusion", load_robot("panda_sim"))
    policy.infer(observation)
    trace.start([(f"{type(policy).__name__}.infer",) * 2])
    policy.infer(observation)
    return trace.files[0]


def trace_all() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the files of each part of an image's path, and those of each stop."""
    trace = FileTrace()
    threading.setprofile(trace.hook)
    stops: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        ask: dict[str, Callable[[], None]] = {
            "stop word": lambda: bench.say("stop"),
            "~/stop": lambda: bench.call(Trigger, "stop", Trigger.Request()),
            "~/enable": lambda: bench.call(SetBool, "enable", SetBool.Request(data=False)),
        }
        try:
            bench.say(bench.observation.instruction)
            tick: list[str] = []
            while SETPOINTS not in tick:  # in a tick that begins a motion there are none yet
                bench.until(lambda: bench.moves)
                trace.start(IMAGE_SEGMENTS)
                bench.until(trace.done.is_set)
                sys.setprofile(None)  # it makes this thread slow
                image, request, answer, tick = trace.files
            policy = trace_policy(trace, bench.observation)
            for name, segment in STOPS.items():
                trace.start([segment])
                ask[name]()
                bench.until(trace.done.is_set)
                (stops[name],) = trace.files
        finally:
            sys.setprofile(None)
            bench.close()
    parts = {"image": image, "request": request, "policy": policy, "answer": answer, "tick": tick}
    return parts, stops


def main() -> int:
    """Print both paths; returns 1 where they are longer than allowed and --check is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="end with 1 if there are too many")
    args = parser.parse_args()
    prepare_domain()
    parts, stops = trace_all()
    seen: dict[str, str] = {}
    for part, files in parts.items():
        for file in files:
            seen.setdefault(file, part)
    print("| | file | part of the path from image to joint command |\n| --- | --- | --- |")
    for number, (file, part) in enumerate(seen.items(), 1):
        print(f"| {number} | `{file}` | {part} |")
    print("\n| stop | files |\n| --- | --- |")
    for name, files in stops.items():
        print(f"| {name} | {', '.join(f'`{file}`' for file in files)} |")
    policy = sum(part == "policy" for part in seen.values())
    types = sum(file.startswith(TYPES) for file in seen)
    steps, longest = len(seen) - policy - types, max(map(len, stops.values()))
    print(f"\nimage to joint command: {len(seen)} files, {policy} of them of the policy and "
          f"{types} that define types; the other {steps}: {MAX_IMAGE_FILES} at most")  # fmt: skip
    print(f"a stop: {longest} files: {MAX_STOP_FILES} at most")
    too_many = steps > MAX_IMAGE_FILES or longest > MAX_STOP_FILES
    return int(too_many and args.check)


if __name__ == "__main__":
    sys.exit(main())
