"""Notices that an arm does not go where it is told to. All times in seconds of one clock."""

import numpy as np

from vlm_robot_ros.contract.kinematics import Kinematics
from vlm_robot_ros.contract.robot import Robot

_APART = ((0.25, 0.1, 0.5), (0.05, 0.02, 3.0))
"""How far a joint [rad], the tool [m] may be from where it was told to be lately; how long [s].

Much for a moment: something is in the way. A little for long: nobody follows.
"""


class Following:
    """How long an arm has been how far from where it was told to be."""

    def __init__(self, robot: Robot, kinematics: Kinematics, by_tool: bool) -> None:
        """Look at the tool's place, or else at the joints'."""
        self._robot, self._kinematics, self._by_tool = robot, kinematics, by_tool
        self.forget()

    def forget(self) -> None:
        """Begin anew: nobody knows how long anything has lasted."""
        self._since: list[float | None] = [None] * len(_APART)

    def problem(self, now: float, joints: np.ndarray, told: np.ndarray) -> str:
        """Return what is wrong; empty when nothing is.

        Args:
            now: [s]
            joints: Measured. Shape (J,), [rad].
            told: Of where it was told to be lately, where it is nearest to. Shape (J,), [rad].
        """
        what, unit, way = self._apart(joints, told)
        for number, (joint, tool, seconds) in enumerate(_APART):
            most, since = (tool if self._by_tool else joint), self._since[number]
            if way <= most:
                self._since[number] = None
            elif since is None:
                self._since[number] = now
            elif now - since > seconds:
                return (
                    f"the arm does not follow: for {seconds} s {what} was more than {most} {unit} "
                    "from where it was told to be; is its controller active?"
                )
        return ""

    def _apart(self, joints: np.ndarray, told: np.ndarray) -> tuple[str, str, float]:
        """Return what is farthest from where it was told to be, in which unit, and how far."""
        if self._by_tool:
            places = [self._kinematics.forward(q)[:3, 3] for q in (joints, told)]
            return "the tool", "m", float(np.linalg.norm(places[0] - places[1]))
        ways = np.abs(joints - told)
        worst = int(ways.argmax())
        return self._robot.joint_names[worst], "rad", float(ways[worst])
