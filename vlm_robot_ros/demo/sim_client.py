"""An observer of the running graph that can also speak: what a conductor stands on."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import rclpy
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vlm_robot_ros.data.image_decoding import to_rgb
from vlm_robot_ros.interfaces.hold import HoldCode
from vlm_robot_ros.motion.motion_controller import IDLE_AFTER_S
from vlm_robot_ros.msg import EpisodeMark, SimState, TaskLabel, VlmAction
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds
from vlm_robot_ros.srv import ResetScene
from vlm_robot_ros.tasks.skill import WorldState

STANDSTILL_SPEED = 0.02
"""Joint speed below which the arm stands still [rad/s]."""
INTERRUPTED = threading.Event()
"""Set by a signal. Raised between calls into ROS: in one, it would become another error."""


class SimulationClientError(RuntimeError):
    """Something that should be running is not heard of."""


@dataclass(frozen=True)
class RecordedFrame:
    """What was seen and done at one camera frame."""

    image: np.ndarray
    """Shape (H, W, 3), uint8 RGB."""
    label: TaskLabel | None
    action: VlmAction | None


class SimulationClient:
    """Watches state, images, actions and labels; resets scenes and gives instructions."""

    def __init__(self, node: Node, robot: RobotConfig, alive: Callable[[], str]) -> None:
        """Listen; `alive` returns what has died of what should be running, if anything has."""
        self._alive = alive
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self.state: SimState | None = None
        self.action: VlmAction | None = None
        self.label: TaskLabel | None = None
        self.frames: list[RecordedFrame] | None = None
        """Filled while it is a list."""
        self.latencies: list[float] = []
        """From a camera frame to the first action computed from it, both as they came here [s]."""
        self._seen: dict[tuple[int, int], float] = {}
        front = robot.cameras[0].topic
        node.create_subscription(SimState, "/arm_sim_node/state", self._on_state, 10)
        node.create_subscription(VlmAction, "action", self._on_action, 10)
        node.create_subscription(TaskLabel, "task_label", self._on_label, 10)
        node.create_subscription(Image, front, self._on_image, qos_profile_sensor_data)
        self._instruction = node.create_publisher(String, "instruction", 10)
        self._marks = node.create_publisher(EpisodeMark, "episode_mark", 10)
        self._reset: Client = node.create_client(ResetScene, "/arm_sim_node/reset")
        self._end_trip: Client = node.create_client(Trigger, "policy_node/reset")

    def bring_up(self, timeout: float = 120.0) -> None:
        """Wait until simulator and policy node are there and heard of.

        Raises:
            StageError: they did not come up in `timeout` wall-clock seconds.
        """

        def ready() -> bool:
            heard = self.state is not None and self.action is not None
            connected = self._instruction.get_subscription_count() > 0
            return heard and connected and self._reset.service_is_ready()

        if not self.wait(ready, timeout):
            missing = "simulator" if self.state is None else "policy node"
            raise SimulationClientError(f"the {missing} was not heard of within {timeout:.0f} s")

    def wait(self, done: Callable[[], bool], timeout: float) -> bool:
        """Handle what comes until `done()`; False after `timeout` wall-clock seconds.

        Raises:
            StageError: something that should be running has ended.
            KeyboardInterrupt: `INTERRUPTED` is set.
        """
        end = time.monotonic() + timeout
        while not done():
            if INTERRUPTED.is_set():
                raise KeyboardInterrupt
            if dead := self._alive():
                raise SimulationClientError(f"{dead} ended; its last words:")
            if time.monotonic() > end or not rclpy.ok():
                return False
            self._executor.spin_once(timeout_sec=0.05)
        return True

    def wait_sim_time(self, seconds_: float) -> None:
        """Let simulated time pass.

        Raises:
            StageError: simulated time stands still.
        """
        end = self.time + seconds_
        if not self.wait(lambda: self.time >= end, 20.0 + 20.0 * seconds_):
            raise SimulationClientError("the simulator's time stands still")

    def new_scene(self, seed: int) -> None:
        """Take back the words, lay a scene, and wait until the arm rests in it; a trip is ended.

        Raises:
            StageError: the simulator or the policy node does not answer.
        """
        self.publish_instruction("")
        if not self.wait(lambda: self.action is not None and self.action.hold, 20.0):
            raise SimulationClientError(
                "the policy node does not hold when its words are taken back"
            )
        if not self.wait(lambda: self._state.joint_speed < STANDSTILL_SPEED, 20.0):
            raise SimulationClientError("the arm does not come to a stand")
        self.wait_sim_time(2 * IDLE_AFTER_S)  # until controllers are told nothing more
        future = self._reset.call_async(ResetScene.Request(seed=seed))
        if not self.wait(future.done, 20.0):
            raise SimulationClientError("the simulator does not answer ~/reset")
        answer = future.result()
        assert answer is not None
        if not self.wait(lambda: self._state.scene == answer.scene, 20.0):
            raise SimulationClientError("the simulator does not come to the new scene")
        self.wait_sim_time(0.3)
        if self.action and self.action.hold_code == HoldCode.TRIPPED:
            # Whoever lays the table again has looked.
            future = self._end_trip.call_async(Trigger.Request())
            if not self.wait(future.done, 20.0):
                raise SimulationClientError("the policy node does not answer ~/reset")
        self._seen.clear()
        self.label = None

    def publish_instruction(self, text: str) -> None:
        """Publish an instruction."""
        self._instruction.publish(String(data=text))

    def publish_episode_mark(self, event: int, note: str = "") -> None:
        """Publish a mark of an episode, as its judge."""
        mark = EpisodeMark(event=event, by="judge", note=note)
        mark.header.stamp = self._state.header.stamp
        self._marks.publish(mark)

    @property
    def time(self) -> float:
        """Simulated time [s]."""
        return stamp_to_seconds(self._state.header.stamp)

    @property
    def world_state(self) -> WorldState:
        """What is true now, for the judge."""
        state = self._state
        positions = np.array([[p.x, p.y, p.z] for p in state.positions])
        return WorldState(positions, np.array(state.yaws), self.tool, state.opening)

    @property
    def tool(self) -> np.ndarray:
        """Measured tool position. Shape (3,), base frame [m]."""
        return np.array([self._state.tool.x, self._state.tool.y, self._state.tool.z])

    @property
    def _state(self) -> SimState:
        assert self.state is not None, "bring_up first"
        return self.state

    def _on_state(self, message: SimState) -> None:
        self.state = message

    def _on_label(self, message: TaskLabel) -> None:
        self.label = message

    def _on_action(self, message: VlmAction) -> None:
        self.action = message
        stamp = message.header.stamp
        seen = self._seen.pop((stamp.sec, stamp.nanosec), None)
        if seen is not None and not message.hold:
            self.latencies.append(time.perf_counter() - seen)

    def _on_image(self, message: Image) -> None:
        stamp = message.header.stamp
        self._seen[stamp.sec, stamp.nanosec] = time.perf_counter()
        if self.frames is not None:
            self.frames.append(RecordedFrame(to_rgb(message), self.label, self.action))
