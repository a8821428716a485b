"""A policy in closed loop with the simulated arm, without ROS, through the node's control loop."""

from collections.abc import Callable

import numpy as np

from vlm_robot_ros.inference.malloc_trim import trim_malloc_heap
from vlm_robot_ros.inference.worker import InferenceSchedule
from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.kinematics.kinematics import transform_to_pose7
from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.execution_settings import ExecutionSettings
from vlm_robot_ros.sim.joint_trajectory_controller import parse_trajectory
from vlm_robot_ros.sim.simulator import CONTROL_PERIOD, Simulator

LATENCY_S = 0.06
"""Simulated time from a camera frame to the first use of its chunk [s]."""
FRAME_PERIOD_S = 0.1
"""Between two camera frames [s]."""


CONTROL_INTERFACES = ("action", "joint_trajectory", "pose", "twist")
"""How the arm is commanded: by the policy node's action, or by what a command sink is sent."""


class ClosedLoopRunner:
    """Lets a policy act on instructions; time passes from call to call."""

    def __init__(
        self,
        sim: Simulator,
        policy: Policy,
        through: str = "action",
        settings: ExecutionSettings | None = None,
    ) -> None:
        """Begin with a policy that knows nothing.

        Args:
            sim: The arm.
            policy: What decides.
            through: One of `CONTROL_INTERFACES`.
            settings: How action chunks are executed.
        """
        settings = (settings or ExecutionSettings()).of_policy(policy)
        self._through = through
        self._loop = ControlLoop(
            sim.robot,
            CONTROL_PERIOD,
            settings=settings,
            sinks=() if through == "action" else (through,),
        )
        self.sim, self.policy = sim, policy
        self._inferences = InferenceSchedule(of_policy=getattr(policy, "replan_steps", 0))
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
        self._loop.set_instruction(text, self.sim.time)
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
        sim, loop = self.sim, self._loop
        stamp, instruction = sim.time, loop.instruction
        chunk: ActionChunk | None = None
        if self._inferences.is_due(stamp, instruction.number, loop.has_chunk(stamp)):
            self._inferences.on_request(instruction.number)
            chunk = self.policy.infer(self.observe(instruction.text))
            self._inferences.on_chunk(chunk, instruction.number, stamp)
            self.label, self.hold = chunk.label, chunk.hold
        for _ in range(round(FRAME_PERIOD_S / CONTROL_PERIOD)):
            if chunk is not None and sim.time - stamp >= LATENCY_S - 1e-6:
                loop.set_chunk(chunk, instruction.number, stamp, sim.time)
                chunk = None
            step = loop.step(sim.time, RobotState(sim.time, sim.joint_positions, sim.opening))
            if step.action.hold_reason:
                self.hold = step.action.hold_reason
            if loop.motion is not None:
                self.hold = loop.motion.tripped or self.hold
                if step.motion is not None:
                    self._command(step.motion)
            elif step.action.hold_reason:
                sim.hold()
            else:
                sim.command(step.action.mode, step.action.values, step.action.gripper)
            sim.step()
            self._record_motion()

    def _record_motion(self) -> None:
        robot, joints = self.sim.robot, self.sim.joint_positions
        parts = np.abs(self.sim.joint_velocities) / robot.velocity
        past = np.maximum(robot.lower - joints, joints - robot.upper)
        self.speed = max(self.speed, float(parts.max()))
        self.outside = max(self.outside, float(past.max()))

    def _command(self, motion: MotionCommand) -> None:
        sim = self.sim
        if self._through == "joint_trajectory":
            points = [(time, p.position, p.velocity) for time, p in motion.points()]
            names = sim.robot.joint_names
            sim.command_trajectory(parse_trajectory(names, motion.time, points, names, sim.time))
        else:
            target = motion.pose if self._through == "pose" else motion.twist
            sim.servo().switch_command_type(self._through)
            sim.servo().receive(self._through, sim.time, sim.robot.base_frame, target)
        sim.command_gripper(motion.gripper)

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
