"""Forward and differential inverse kinematics of a serial arm, from its contract."""

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.contract.robot import Robot


class Kinematics:
    """Kinematics of one robot: joint positions to tool pose and back by small steps."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._origins = [transform(joint.origin) for joint in robot.joints]
        self._tool = transform(robot.tool)

    def forward(self, positions: np.ndarray) -> np.ndarray:
        """Return the tool pose of joint `positions`.

        Args:
            positions: Shape (J,), [rad].

        Returns:
            Homogeneous transform of the tool in the base frame. Shape (4, 4), [m].
        """
        return self._chain(positions)[-1]

    def jacobian(self, positions: np.ndarray) -> np.ndarray:
        """Return the geometric Jacobian of the tool. Shape (6, J): linear [m], angular [rad]."""
        *frames, tool = self._chain(positions)
        axes = np.array([frame[:3, 2] for frame in frames])
        arms = tool[:3, 3] - np.array([frame[:3, 3] for frame in frames])
        return np.vstack([np.cross(axes, arms).T, axes.T])

    def step_towards(
        self, positions: np.ndarray, goal: np.ndarray, dt: float, damping: float = 0.03
    ) -> np.ndarray:
        """Return joint positions one control step nearer to a tool pose, within all limits.

        Damped least squares (Nakamura and Hanafusa, 1986), with a pull towards the home posture in
        the null space; scaled as a whole where a joint would exceed its speed.

        Args:
            positions: Joint positions now. Shape (J,), [rad].
            goal: Wanted tool pose in the base frame. Shape (4, 4), [m].
            dt: Length of the step [s].
            damping: Larger is slower and steadier near singularities.
        """
        here = self.forward(positions)
        turn = Rotation.from_matrix(goal[:3, :3] @ here[:3, :3].T).as_rotvec()
        error = np.concatenate([goal[:3, 3] - here[:3, 3], turn])
        jacobian = self.jacobian(positions)
        gram = jacobian @ jacobian.T + damping**2 * np.eye(6)
        inverse = np.linalg.solve(gram, jacobian).T
        posture = 0.5 * dt * (np.array(self._robot.home) - positions)
        delta = inverse @ error + posture - inverse @ (jacobian @ posture)
        delta /= max(1.0, float(np.max(np.abs(delta) / (self._robot.velocity * dt))))
        return np.clip(positions + delta, self._robot.lower, self._robot.upper)

    def _chain(self, positions: np.ndarray) -> list[np.ndarray]:
        if np.shape(positions) != (len(self._origins),):
            raise ValueError(
                f"expected {len(self._origins)} joint positions, got {np.shape(positions)}"
            )
        frames, frame = [], np.eye(4)
        for origin, angle in zip(self._origins, positions, strict=True):
            frame = frame @ origin
            c, s = np.cos(angle), np.sin(angle)
            x, y = frame[:, 0].copy(), frame[:, 1].copy()
            frame[:, 0], frame[:, 1] = c * x + s * y, c * y - s * x
            frames.append(frame)
        return [*frames, frame @ self._tool]


def transform(origin: tuple[float, ...]) -> np.ndarray:
    """Return the (4, 4) transform of x, y, z [m], roll, pitch, yaw [rad] (URDF's order)."""
    return pose(np.array(origin[:3]), Rotation.from_euler("xyz", origin[3:]))


def to_vector(frame: np.ndarray) -> np.ndarray:
    """Return x, y, z [m], qx, qy, qz, qw of a (4, 4) transform. Shape (7,)."""
    return np.concatenate([frame[:3, 3], Rotation.from_matrix(frame[:3, :3]).as_quat()])


def from_vector(vector: np.ndarray) -> np.ndarray:
    """Return the (4, 4) transform of x, y, z [m], qx, qy, qz, qw.

    Raises:
        ValueError: the quaternion's norm is not 1.
    """
    norm = float(np.linalg.norm(vector[3:]))
    if not abs(norm - 1) < 0.01:
        raise ValueError(f"the quaternion {list(vector[3:])} has norm {norm:.3f}; it must be 1")
    return pose(np.asarray(vector[:3]), Rotation.from_quat(vector[3:]))


def pose(position: np.ndarray, rotation: Rotation) -> np.ndarray:
    """Return the (4, 4) transform of a position [m] and a rotation."""
    result = np.eye(4)
    result[:3, :3] = rotation.as_matrix()
    result[:3, 3] = position
    return result


def wrapped(angle: float) -> float:
    """Return an angle in -pi to pi [rad]."""
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def down(position: np.ndarray, yaw: float) -> np.ndarray:
    """Return the pose of a tool that points down, turned by `yaw` [rad] about the vertical.

    Args:
        position: Shape (3,), [m].
        yaw: Seen from above, counterclockwise; at 0 the tool's x points to the base frame's.

    Returns:
        x, y, z [m], qx, qy, qz, qw. Shape (7,).
    """
    return np.array([*position, np.cos(yaw / 2), np.sin(yaw / 2), 0.0, 0.0])


def yaw_of(vector: np.ndarray) -> float:
    """Return the turn about the vertical of a tool that points about down: see `down` [rad]."""
    x, y, z, w = vector[3:]
    return float(np.arctan2(2 * (x * y + z * w), 1 - 2 * (y * y + z * z)))
