"""A chunk executor with one camera, for the tests of what it tells the arm."""

import numpy as np
from plans import HOME

from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.chunk_executor import ChunkExecutor
from vlm_robot_ros.runtime.execution_settings import ExecutionSettings
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor

ROBOT = load_robot("panda_sim")


def new_watch():
    return StreamMonitor("front camera", 0.5, 30.0)


def new_pilot(watch):
    return ChunkExecutor(ROBOT, [watch], period=0.02, settings=ExecutionSettings(blend=0.1))


def tick(pilot, now, pose=HOME, opening=1.0):
    return pilot.step(now, np.array(ROBOT.home), pose, opening)
