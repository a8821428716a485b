"""An arm behind a control loop that a person can take over."""

import numpy as np
from controlled_arm import HOME, PERIOD, POSE, ROBOT
from plans import plan

from vlm_robot_ros.interfaces.hold import MAY_MOVE
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.takeover import Takeover


def chunk_aside(pose, way):
    """Return a chunk that moves the tool sideways by `way` [m] in 2 s."""
    values = np.tile(pose, (20, 1))
    values[:, 1] += np.linspace(0, way, 21)[1:]
    return plan(pose[:3], values=values, gripper=np.ones(20))


class Arm:
    """A control loop, and an arm that does at once what it is told."""

    def __init__(self, sinks=("joint_trajectory",)):
        self.loop = ControlLoop(ROBOT, PERIOD, sinks=sinks)
        self.loop.takeover = Takeover(ROBOT, self.loop.kinematics, PERIOD)
        self.now, self.joints, self.opening = 100.0, HOME.copy(), 1.0
        self.positions, self.actions = [HOME.copy()], []

    def tick(self, twist=None, leader=None, hold=MAY_MOVE, early=0.0):
        """Let a tick pass, called a time after it was due; returns its action."""
        self.now += PERIOD
        if twist is not None:
            self.loop.takeover.set_twist(twist, self.now + early)
        if leader is not None:
            self.loop.takeover.set_joints(leader, self.now + early)
        step = self.loop.step(self.now, RobotState(self.now, self.joints, self.opening), hold)
        if step.motion is not None:
            self.joints = step.motion.preview.setpoints[0].position
        self.positions.append(self.joints)
        self.actions.append(step.action)
        return step.action

    def ticks(self, seconds, **given):
        """Let time pass; returns the last action."""
        return [self.tick(**given) for _ in range(round(seconds / PERIOD))][-1]

    def follow_chunk(self, way=0.2):
        """Begin with an instruction and a chunk for it."""
        self.ticks(0.1)
        number = self.loop.set_instruction("push it", self.now).number
        self.loop.set_chunk(chunk_aside(POSE, way), number, self.now, self.now)

    @property
    def tool(self):
        """Where it is. Shape (3,), [m]."""
        return Kinematics(ROBOT).forward(self.joints)[:3, 3]

    def worst(self):
        """Return the largest speed and acceleration of any joint, as parts of their limits."""
        speed = np.diff(self.positions, axis=0) / PERIOD
        change = np.diff(speed, axis=0) / PERIOD
        return np.abs(speed / ROBOT.velocity).max(), np.abs(change / ROBOT.acceleration).max()
