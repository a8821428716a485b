"""A policy in closed loop with the simulated arm, without ROS, through the node's own pilot."""

from collections.abc import Callable

import numpy as np

from vlm_robot_ros.inference.malloc_trim import trim_malloc_heap
from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.kinematics.kinematics import transform_to_pose7
from vlm_robot_ros.motion.motion_controller import MotionController
from vlm_robot_ros.runtime.chunk_executor import BLEND_S, JOINED_STEPS, ChunkExecutor
from vlm_robot_ros.sim.joint_trajectory_controller import parse_trajectory
from vlm_robot_ros.sim.simulator import CONTROL_PERIOD, Simulator

LATENCY_S = 0.06
"""Simulated seconds from a camera frame to the first use of its chunk [s]."""
FRAME_PERIOD_S = 0.1
"""Between two camera frames [s]."""


CONTROL_INTERFACES = ("action", "joint_trajectory", "pose", "twist")
"""Ways to tell the arm: the policy node's action, or what its command sinks are sent."""


class ClosedLoopRunner:
    """Lets a policy act on what is said; time goes on from call to call."""

    def __init__(
        self,
        sim: Simulator,
        policy: Policy,
        through: str = "action",
        blend: float = BLEND_S,
        ensemble: float = 0.0,
        joined_steps: int = JOINED_STEPS,
    ) -> None:
        """Begin with a policy that knows nothing; plans are joined as by `ChunkExecutor`."""
        self._through = through
        by_tool, by_path = through in ("pose", "twist"), through == "joint_trajectory"
        self._driver = MotionController(sim.robot, CONTROL_PERIOD, by_tool, by_path)
        self.sim, self.policy = sim, policy
        self.label = ""
        """The task label that the policy gave last."""
        self.hold = ""
        """Why the arm was held last, or nothing."""
        self.speed = 0.0
        """Largest measured joint speed, as a part of its limit."""
        self.outside = 0.0
        """How far a measured joint was outside its limits [rad]."""
        self.camera: Callable[[str, np.ndarray], np.ndarray] = lambda name, image: image
        """What becomes of the images of a camera on their way."""
        self._pilot = ChunkExecutor(
            sim.robot, [], CONTROL_PERIOD, blend, ensemble=ensemble, joined_steps=joined_steps
        )
        policy.reset()

    @property
    def executed(self) -> tuple[float, ...]:
        """Largest velocity, acceleration and jerk that a trajectory controller executed.

        As parts of their limits; empty where none was commanded.
        """
        if self._through != "joint_trajectory":
            return ()
        return tuple(round(each, 4) for each in self.sim.execution.extremes.largest)

    def set_instruction(self, text: str) -> None:
        """Give an instruction."""
        self._pilot.set_instruction(text, self.sim.time)
        self.policy.next_instruction()
        self.label = ""

    def run(self, seconds: float, ended: Callable[[], bool] = lambda: False) -> float:
        """Let time pass, at most until `ended()`; returns how much did [s]."""
        begun = self.sim.time
        while self.sim.time - begun < seconds - 1e-6 and not ended():
            self._request_inference()
        return self.sim.time - begun

    def _request_inference(self) -> None:
        trim_malloc_heap()
        sim, pilot = self.sim, self._pilot
        stamp, said = sim.time, pilot.said
        chunk: ActionChunk | None = self.policy.infer(self.observe(said.text))
        assert chunk is not None
        self.label, self.hold = chunk.label, chunk.hold
        for _ in range(round(FRAME_PERIOD_S / CONTROL_PERIOD)):
            if chunk is not None and sim.time - stamp >= LATENCY_S - 1e-6:
                pilot.set_chunk(chunk, said.number, stamp, sim.time)
                chunk = None
            wait = "" if self._through == "action" else self._driver.waiting
            command = pilot.step(
                sim.time, sim.joint_positions, self._pose(), sim.opening, wait=wait
            )
            if command.hold_reason:
                self.hold = command.hold_reason
            if self._through != "action":
                self._send_motion_command(command)
            elif command.hold_reason:
                sim.hold()
            else:
                sim.command(command.mode, command.values, command.gripper)
            sim.step()
            self._record_motion()

    def _record_motion(self) -> None:
        robot, joints = self.sim.robot, self.sim.joint_positions
        parts = np.abs(self.sim.joint_velocities) / robot.velocity
        past = np.maximum(robot.lower - joints, joints - robot.upper)
        self.speed = max(self.speed, float(parts.max()))
        self.outside = max(self.outside, float(past.max()))

    def _send_motion_command(self, command: ActionCommand) -> None:
        sim = self.sim
        ahead = self._pilot.preview(sim.time, self._driver.ahead)
        drive = self._driver.update(sim.time, command, ahead, sim.joint_positions)
        self.hold = self._driver.tripped or self.hold
        if drive is None:
            return
        if self._through == "joint_trajectory":
            points = [(time, p.position, p.velocity) for time, p in drive.points()]
            names = sim.robot.joint_names
            sim.command_trajectory(parse_trajectory(names, drive.time, points, names, sim.time))
        else:
            told = drive.pose if self._through == "pose" else drive.twist
            sim.servo().switch_command_type(self._through)
            sim.servo().receive(self._through, sim.time, sim.robot.base_frame, told)
        sim.command_gripper(drive.gripper)

    def observe(self, instruction: str) -> Observation:
        """Return what a policy may know now."""
        sim = self.sim
        images = {
            camera: self.camera(camera, sim.observe(camera)) for camera in self.policy.cameras
        }
        joints = sim.joint_positions
        return Observation(images, self._pose(), sim.opening, instruction, joints, sim.time)

    def _pose(self) -> np.ndarray:
        return transform_to_pose7(self.sim.kinematics.forward(self.sim.joint_positions))
