"""Policies that do what none should; in a module that worker processes can import."""

import multiprocessing
import os
import re
import resource
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.policy import HoldPolicy, hold_chunk
from vlm_robot_ros.policies.image_monitor import ImageGuard


class Closing(HoldPolicy):
    """A policy that closes the gripper whatever is said."""

    def infer(self, observation):
        still = hold_chunk(observation, 0.1, "")
        return replace(still, gripper=np.zeros(1), confidence=1.0)


class Sweeping(HoldPolicy):
    """A policy that takes the hand across the table, low, whatever is said."""

    def infer(self, observation):
        still = hold_chunk(observation, 0.1, "")
        pose = still.values[0].copy()
        low = pose[2] < 0.06
        away = np.array([*((0.55, 0.3) if low else pose[:2]), 0.03]) - pose[:3]
        pose[:3] += away * min(1.0, 0.08 / float(np.linalg.norm(away)))
        return replace(still, values=pose[None], confidence=1.0)


class Broken(HoldPolicy):
    """A policy that cannot answer."""

    def infer(self, observation):
        raise RuntimeError("out of order")


class Own(HoldPolicy):
    """A policy as somebody else may write it: made of a robot, with an eye."""

    cameras = ("front",)

    def __init__(self, robot):
        self.robot = robot

    def infer(self, observation):
        chunk = hold_chunk(observation, 0.1, "")
        aside = np.linspace(0.01, 0.08, 8)[:, None] * np.array([0, 1, 0, 0, 0, 0, 0])
        return replace(chunk, values=chunk.values + aside, gripper=np.ones(8), confidence=1.0)


class Failing(Own):
    """A policy that cannot answer, made of a robot."""

    def infer(self, observation):
        raise RuntimeError("out of memory")


class Wary(ImageGuard):
    """A policy that watches its images itself."""

    def __init__(self, robot):
        super().__init__(Own(robot))


class Deep(Own):
    """A policy with an eye for distances, too."""

    cameras = ("front", "front_depth")


class Mirror(HoldPolicy):
    """A policy that shows what it was given."""

    def __init__(self):
        self.points = {"target": np.array([0.1, 0.2, 0.3])}

    def infer(self, observation):
        self.seen = observation
        return hold_chunk(observation, 0.1, observation.instruction)

    def draw(self):
        return self.seen.images["front"]


class Scheduled(HoldPolicy):
    """A policy that tells how its thread is scheduled while it thinks."""

    def infer(self, observation):
        return hold_chunk(observation, 0.1, str(os.sched_getscheduler(0)))


def exhaust():
    """Take memory until there is no more."""
    before, taken = resource.getrlimit(resource.RLIMIT_AS), []
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 2**28
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        while True:
            taken.append(bytearray(2**24))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class OnWord(Own):
    """A policy that goes wrong in the way that it is told to."""

    def infer(self, observation):
        good, word = super().infer(observation), observation.instruction
        if word == "raise":
            raise RuntimeError("out of order")
        if word == "exhaust":
            exhaust()
        if word == "hang":
            threading.Event().wait(3.0)
        if word == "hang for good":  # and let no other thread of the process go on
            re.match("(a+)+$", "a" * 64 + "b")
        if word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "start a process":
            other = multiprocessing.get_context("spawn").Process(target=print)
            other.start()
            other.join()
        if word == "fork and die":
            if os.fork() == 0:
                threading.Event().wait(60.0)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "exit":
            sys.exit("enough")
        if word == "nothing":
            return None
        changes = {
            "nan": {"values": good.values * np.nan},
            "infinite": {"values": good.values * np.inf},
            "shape": {"values": good.values[:, :5]},
            "empty": {"values": good.values[:0], "gripper": good.gripper[:0]},
            "quaternion": {"values": good.values * np.array([1, 1, 1, 2, 2, 2, 2])},
            "gripper": {"gripper": good.gripper * np.nan},
            "period": {"step_dt": 0.0},
            "unsure": {"confidence": 0.2},
            "sure": {"confidence": np.nan},
            "no label": {"label": None},
            "hold without a reason": {"hold": True},
            "scores of numbers": {"scores": {5: 1.0}},
            "no score": {"label": "push the cube", "scores": {"go home": 1.0}},
            "numpy": {"step_dt": np.float32(0.1), "confidence": np.float64(1.0)},
            "far": {"values": good.values + _outward(len(good.values))},
        }
        return replace(good, **changes.get(word, {}))


def _outward(steps):
    """Return moves that end 9 m away, and begin where the tool is."""
    return np.linspace(0, 9, steps)[:, None] * np.array([1.0, 1, 1, 0, 0, 0, 0])


class NeverReady(HoldPolicy):
    """A policy that is never loaded."""

    def __init__(self, robot):
        threading.Event().wait()


class Nudging(HoldPolicy):
    """A policy that turns the first joint by 0.3 rad from home, whatever it sees."""

    cameras = ("front",)

    def __init__(self, robot):
        self.home = np.array(robot.home)

    def infer(self, observation):
        goal = self.home.copy()
        goal[0] += 0.3
        values = np.repeat(goal[None], 5, axis=0)
        return ActionChunk(
            ActionMode.JOINT_POSITION, values, np.ones(5), 0.1, "nudge", {"nudge": 1.0}, 1.0, ""
        )
