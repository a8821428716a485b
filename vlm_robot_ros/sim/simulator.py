"""The simulated arm in motion: commands in, physics, joint states and images out."""

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.data.camera_input import backproject_depth, crop_image
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.kinematics import (
    Kinematics,
    make_transform,
    pose7_to_transform,
    tool_yaw,
    transform_to_pose7,
)
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sim.arms import SERVO_LAG
from vlm_robot_ros.sim.checks import finite_array
from vlm_robot_ros.sim.joint_trajectory_controller import ControllerSettings, Trajectory
from vlm_robot_ros.sim.moveit_servo import MoveItServo, ServoSettings
from vlm_robot_ros.sim.object_bodies import place_objects
from vlm_robot_ros.sim.renderer import CameraRenderer
from vlm_robot_ros.sim.trajectory_execution import TrajectoryExecution
from vlm_robot_ros.sim.world import TIMESTEP, build_world, place_front_camera
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import WorldState

CONTROL_PERIOD = 0.02
"""Time between two servo commands [s]; one `step` of the simulator."""


class Simulator:
    """A position-controlled arm at a table.

    It keeps the last command it was given, as a real controller does: with no new command the arm
    holds still.
    """

    def __init__(
        self,
        robot: RobotConfig,
        controller: ControllerSettings | None = None,
        servo: ServoSettings | None = None,
    ) -> None:
        """Make an arm whose trajectory controller and MoveIt Servo are set up as is said."""
        self.robot = robot
        self._controller_settings = controller or ControllerSettings()
        self.servo_settings = servo or ServoSettings()
        """Of its MoveIt Servo."""
        self.kinematics = Kinematics(robot)
        self.execution = self._new_execution()
        """Of trajectories, since the reset."""
        self.scene: Scene | None = None
        self._model = build_world(robot)
        self._data = mujoco.MjData(self._model)
        self._images = CameraRenderer(robot, self._model, self._data)
        self._target: np.ndarray = np.array(robot.home)
        self._pose_goal: np.ndarray | None = None
        self._gripper = 1.0
        self._holding = False
        joints = [self._model.actuator(joint.name).trnid[0] for joint in robot.joints]
        self._arm = [self._model.jnt_qposadr[joint] for joint in joints]
        self._arm_speeds = [self._model.jnt_dofadr[joint] for joint in joints]
        self._fingers = [self._model.joint(f"finger_joint{i}").id for i in (1, 2)]
        self._finger_servos = [self._model.actuator(f"gripper_finger_joint{i}").id for i in (1, 2)]

    def reset(self, scene: Scene, home: np.ndarray | None = None) -> None:
        """Lay a scene, put the arm at `home` (shape (J,), [rad]) and let things settle."""
        model, data = self._model, self._data
        mujoco.mj_resetData(model, data)
        self.scene = scene
        place_objects(model, data, scene)
        place_front_camera(model, scene.look)
        start = np.array(self.robot.home) if home is None else np.asarray(home, float)
        data.qpos[self._arm] = start
        for joint, sign in zip(self._fingers, (1, -1), strict=True):
            data.qpos[model.jnt_qposadr[joint]] = sign * self.robot.gripper.open
        self._gripper = 1.0
        self.execution = self._new_execution()
        self._switch_controller(start)
        for _ in range(10):
            self.step()
        data.time = 0.0

    def command(self, mode: ActionMode, values: np.ndarray, gripper: float) -> None:
        """Follow one action; `values` as `mode` has them.

        Raises:
            ValueError: a number is not finite, or a quaternion has not norm 1.
        """
        finite_array(gripper, "gripper")  # before anything moves
        if mode == ActionMode.JOINT_POSITION:
            self.command_joints(values)
        elif mode == ActionMode.JOINT_DELTA:
            self.command_joints(self.target + values)
        elif mode == ActionMode.END_EFFECTOR_POSE:
            self.command_pose(pose7_to_transform(values))
        else:
            here, change = self.kinematics.forward(self.target), pose7_to_transform(values)
            turned = Rotation.from_matrix(change[:3, :3] @ here[:3, :3])
            self.command_pose(make_transform(here[:3, 3] + change[:3, 3], turned))
        self.command_gripper(gripper)

    def command_joints(self, positions: np.ndarray) -> None:
        """Set the joint positions to go to. Shape (J,), [rad]; clipped to the limits."""
        self._switch_controller(
            np.clip(finite_array(positions, "joint positions"), *self._limits())
        )

    def command_pose(self, goal: np.ndarray) -> None:
        """Set the tool pose to go to: a transform in the base frame. Shape (4, 4), [m]."""
        goal = finite_array(goal, "pose")
        self._switch_controller(self._target)
        self._pose_goal = goal

    def command_trajectory(self, trajectory: Trajectory) -> None:
        """Send the trajectory controller a trajectory of simulated times."""
        if not self.execution.active or self.execution.servo:
            self._switch_controller(self._target)
            self.execution.activate(self._target)
        self.execution.send(trajectory, self.time)

    def servo(self) -> MoveItServo:
        """Return MoveIt Servo, which commands the arm from now on."""
        if self.execution.servo is None:
            self._switch_controller(self._target)
        return self.execution.activate_servo(self._target)

    def _switch_controller(self, target: np.ndarray) -> None:
        """Forget who commanded before; go to joint positions if nothing else is said."""
        self._target, self._holding = target, False
        self._pose_goal = None
        self.execution.deactivate()

    def command_gripper(self, opening: float) -> None:
        """Set the gripper's opening: 0 closed, 1 open."""
        self._gripper = float(np.clip(finite_array(opening, "gripper"), 0.0, 1.0))

    def hold(self) -> None:
        """Stay where it is, not where it was about to go; the gripper keeps its command."""
        if not self._holding:
            self._switch_controller(self.joint_positions)
            self._holding = True

    def step(self) -> None:
        """Advance by `CONTROL_PERIOD`."""
        width = self.robot.gripper.position(self._gripper)
        self._data.ctrl[self._finger_servos] = (width, -width)
        if self.execution.active:
            self._execute_trajectory()
            return
        self._target = self._next_setpoint()
        # A joint that is told to jump is driven there at its own top speed.
        now, reach = self.target, self.robot.velocity * CONTROL_PERIOD
        told = np.clip(self._target, now - reach, now + reach)
        # What was kept from following catches up at that speed, too, less what it may overshoot.
        lag, steps = 0.99 * self.robot.velocity * SERVO_LAG, round(CONTROL_PERIOD / TIMESTEP)
        behind = bool(np.any(np.abs(told - self.joint_positions) > lag))
        for _ in range(steps if behind else 1):
            here = self.joint_positions
            self._data.ctrl[: len(self._arm)] = np.clip(told, here - lag, here + lag)
            mujoco.mj_step(self._model, self._data, nstep=1 if behind else steps)

    def _new_execution(self) -> TrajectoryExecution:
        settings = self._controller_settings, self.servo_settings
        return TrajectoryExecution(self.robot, self.kinematics, *settings)

    def _execute_trajectory(self) -> None:
        """Advance by `CONTROL_PERIOD` with the trajectory controller at its own rate."""
        begun, rate, done = self.time, self._controller_settings.rate, 0
        reach, lag = self.robot.velocity * TIMESTEP, 0.99 * self.robot.velocity * SERVO_LAG
        for number in range(round(CONTROL_PERIOD / TIMESTEP)):
            while done < (number + 1) * rate * TIMESTEP - 1e-9:
                command = self.execution.update(
                    begun + done / rate, self.joint_positions, self.joint_velocities
                )
                self._target, done = np.clip(command, *self._limits()), done + 1
            here, last = self.joint_positions, self.target
            # A joint that is commanded to jump is driven there at its own top speed.
            command = np.clip(self._target, last - reach, last + reach)
            self._data.ctrl[: len(self._arm)] = np.clip(command, here - lag, here + lag)
            mujoco.mj_step(self._model, self._data)

    def _next_setpoint(self) -> np.ndarray:
        """Return where the joints shall be a period later. Shape (J,), [rad]."""
        here = there = self._target
        if self._pose_goal is not None:
            there = self.kinematics.step_towards(here, self._pose_goal, CONTROL_PERIOD)
        return np.clip(there, *self._limits())

    def render(self, camera: str) -> np.ndarray:
        """Draw what a camera of the contract sees. Shape (H, W, 3), uint8 RGB."""
        return self._images.colours(camera)

    def render_depth(self, camera: str) -> np.ndarray:
        """Measure what a depth camera of the contract does. Shape (H, W), float32 [m]."""
        return self._images.depth(camera)

    def render_things(self) -> np.ndarray:
        """Tell what each pixel of the front camera shows: for training only.

        Returns:
            0, or 1 + the index of a thing of the scene. Shape (256, 256), uint8, whatever the
            camera's own resolution is.
        """
        return self._images.things(self.scene)

    def observe(self, camera: str) -> np.ndarray:
        """Return what a policy is given of a camera: see `Observation.images`."""
        of = self.robot.camera(camera)
        if not of.depth:
            return crop_image(self.render(camera), of)
        return crop_image(
            backproject_depth(self.render_depth(camera), self.camera_matrix(camera), of.pose), of
        )

    def camera_matrix(self, camera: str) -> np.ndarray:
        """Return K of a camera's calibration. Shape (3, 3), [px]."""
        return self._images.matrix(camera)

    def close(self) -> None:
        """Free what the images were drawn with."""
        self._images.close()

    @property
    def time(self) -> float:
        """Simulated time since the reset [s]."""
        return float(self._data.time)

    @property
    def target(self) -> np.ndarray:
        """Joint positions that the servos are told now. Shape (J,), [rad]."""
        if self._data.time == 0.0:
            return self.joint_positions
        return self._data.ctrl[: len(self._arm)].copy()

    @property
    def joint_positions(self) -> np.ndarray:
        """Measured joint positions. Shape (J,), [rad]."""
        return self._data.qpos[self._arm].copy()

    @property
    def joint_velocities(self) -> np.ndarray:
        """Measured joint velocities. Shape (J,), [rad/s]."""
        return self._data.qvel[self._arm_speeds].copy()

    @property
    def gripper_position(self) -> float:
        """Measured finger position [m], in the contract's terms."""
        first, second = (
            abs(float(self._data.qpos[self._model.jnt_qposadr[j]])) for j in self._fingers
        )
        return (first + second) / 2

    @property
    def opening(self) -> float:
        """Measured gripper opening: 0 closed, 1 open."""
        return self.robot.gripper.fraction(self.gripper_position)

    @property
    def tool_yaw(self) -> float:
        """Measured turn of the tool about the vertical from pointing down straight [rad]."""
        return tool_yaw(transform_to_pose7(self.kinematics.forward(self.joint_positions)))

    @property
    def tool_position(self) -> np.ndarray:
        """Measured tool position. Shape (3,), base frame [m]."""
        return self.kinematics.forward(self.joint_positions)[:3, 3]

    @property
    def positions(self) -> np.ndarray:
        """True positions of the scene's things, for judge and expert only. Shape (N, 3), [m].

        Of an object its middle, of a receptacle the middle of its rim.
        """
        things = self.scene.things if self.scene else ()
        places = [
            self._data.body(f"object{i}").xpos if thing.movable else thing.position
            for i, thing in enumerate(things)
        ]
        return np.array(places).reshape(-1, 3)

    @property
    def yaws(self) -> np.ndarray:
        """True turns of the scene's things about the vertical. Shape (N,), [rad]."""
        things = self.scene.things if self.scene else ()
        matrices = [
            self._data.body(f"object{i}").xmat if thing.movable else np.eye(3).ravel()
            for i, thing in enumerate(things)
        ]
        return np.array([np.arctan2(matrix[3], matrix[0]) for matrix in matrices])

    @property
    def world_state(self) -> WorldState:
        """What is true now: for judge and expert only."""
        return WorldState(self.positions, self.yaws, self.tool_position, self.opening)

    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        return self.robot.lower, self.robot.upper
