"""Forward and differential inverse kinematics of a serial arm, from its contract, by pinocchio."""

import numpy as np
import pinocchio
from scipy.spatial.transform import Rotation

from vlm_robot_ros.robot.config import RobotConfig

_IDENTITY = np.eye(6)


class Kinematics:
    """Kinematics of one robot: joint positions to tool pose and back by small steps.

    Not for two threads at once: results are computed in place.
    """

    def __init__(self, robot: RobotConfig) -> None:
        self._robot = robot
        self._lower, self._upper, self._velocity = robot.lower, robot.upper, robot.velocity
        self.home = np.array(robot.home)
        """The posture to prefer. Shape (J,), [rad]."""
        self._model = pinocchio.Model()
        last = 0
        for joint in robot.joints:
            origin = pinocchio.SE3(quaternion_transform(joint.origin))
            last = self._model.addJoint(last, pinocchio.JointModelRZ(), origin, joint.name)
        tool = pinocchio.SE3(quaternion_transform(robot.tool))
        frame = pinocchio.Frame("tool", last, tool, pinocchio.FrameType.OP_FRAME)
        self._tool = self._model.addFrame(frame)
        self._data = self._model.createData()

    def home_near(self, positions: np.ndarray) -> np.ndarray:
        """Return the home posture, continuous joints in the turn that they are in. Shape (J,)."""
        return self._robot.unwrap_continuous_joints(self.home, positions)

    def forward(self, positions: np.ndarray) -> np.ndarray:
        """Return the tool pose of joint `positions`.

        Args:
            positions: Shape (J,), [rad].

        Returns:
            Homogeneous transform of the tool in the base frame. Shape (4, 4), [m].
        """
        self._check(positions)
        pinocchio.framesForwardKinematics(self._model, self._data, positions)
        return self._data.oMf[self._tool].homogeneous

    def jacobian(self, positions: np.ndarray) -> np.ndarray:
        """Return the geometric Jacobian of the tool. Shape (6, J): linear [m], angular [rad]."""
        self._check(positions)
        return pinocchio.computeFrameJacobian(
            self._model, self._data, positions, self._tool, pinocchio.LOCAL_WORLD_ALIGNED
        )

    def step_towards(
        self, positions: np.ndarray, goal: np.ndarray, dt: float, damping: float = 0.03
    ) -> np.ndarray:
        """Return joint positions one control step nearer to a tool pose, within all limits.

        Damped least squares (Nakamura and Hanafusa, 1986), with a pull towards the home posture in
        the null space; scaled as a whole where a joint would exceed its speed. A joint that would
        leave its limits stays at them, and the others do without it.

        Args:
            positions: Joint positions now. Shape (J,), [rad].
            goal: Wanted tool pose in the base frame. Shape (4, 4), [m].
            dt: Length of the step [s].
            damping: Larger is slower and steadier near singularities.
        """
        here = self.forward(positions)
        error = pose_error(here, goal)
        jacobian = self.jacobian(positions)
        posture = 0.5 * dt * (self.home_near(positions) - positions)
        free = np.ones(len(positions))
        for _ in range(2):
            own = jacobian * free
            inverse = np.linalg.solve(own @ own.T + damping**2 * _IDENTITY, own).T
            delta = inverse @ error + free * posture - inverse @ (own @ posture)
            delta /= max(1.0, float(np.max(np.abs(delta) / (self._velocity * dt))))
            result = np.clip(positions + delta, self._lower, self._upper)
            stuck = result != positions + delta
            if not stuck.any():
                break
            free[stuck] = 0.0
        return result

    def _check(self, positions: np.ndarray) -> None:
        if np.shape(positions) != (self._model.nq,):
            raise ValueError(
                f"expected {self._model.nq} joint positions, got {np.shape(positions)}"
            )


def quaternion_transform(origin: tuple[float, ...]) -> np.ndarray:
    """Return the (4, 4) transform of x, y, z [m], roll, pitch, yaw [rad] (URDF's order)."""
    return make_transform(np.array(origin[:3]), Rotation.from_euler("xyz", origin[3:]))


def pose_error(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return what takes one transform to another: a way [m] and a turn [rad]. Shape (6,)."""
    turn = pinocchio.log3(there[:3, :3] @ here[:3, :3].T)
    return np.concatenate([there[:3, 3] - here[:3, 3], turn])


def transform_to_pose7(frame: np.ndarray) -> np.ndarray:
    """Return x, y, z [m], qx, qy, qz, qw of a (4, 4) transform. Shape (7,)."""
    return pinocchio.SE3ToXYZQUAT(pinocchio.SE3(frame))


def pose7_to_transform(vector: np.ndarray) -> np.ndarray:
    """Return the (4, 4) transform of x, y, z [m], qx, qy, qz, qw.

    Raises:
        ValueError: the quaternion's norm is not 1.
    """
    norm = float(np.linalg.norm(vector[3:]))
    if not abs(norm - 1) < 0.01:
        raise ValueError(f"the quaternion {list(vector[3:])} has norm {norm:.3f}; it must be 1")
    return make_transform(np.asarray(vector[:3]), Rotation.from_quat(vector[3:]))


def make_transform(position: np.ndarray, rotation: Rotation) -> np.ndarray:
    """Return the (4, 4) transform of a position [m] and a rotation."""
    result = np.eye(4)
    result[:3, :3] = rotation.as_matrix()
    result[:3, 3] = position
    return result


def wrap_to_pi(angle: float) -> float:
    """Return an angle in -pi to pi [rad]."""
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def downward_pose(position: np.ndarray, yaw: float) -> np.ndarray:
    """Return the pose of a tool that points down, turned by `yaw` [rad] about the vertical.

    Args:
        position: Shape (3,), [m].
        yaw: Seen from above, counterclockwise; at 0 the tool's x points to the base frame's.

    Returns:
        x, y, z [m], qx, qy, qz, qw. Shape (7,).
    """
    return np.array([*position, np.cos(yaw / 2), np.sin(yaw / 2), 0.0, 0.0])


def tool_yaw(vector: np.ndarray) -> float:
    """Return the turn about the vertical of a tool that points about down: see `down` [rad]."""
    x, y, z, w = vector[3:]
    return float(np.arctan2(2 * (x * y + z * w), 1 - 2 * (y * y + z * z)))
