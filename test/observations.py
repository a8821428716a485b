"""What a policy may be asked about: the simulated arm at home, and two images."""

import numpy as np

from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("panda_sim")
JOINTS = np.array(ROBOT.home)
POSE = transform_to_pose7(Kinematics(ROBOT).forward(JOINTS))
_RNG = np.random.default_rng(0)
FRONT = _RNG.integers(0, 255, (256, 256, 3), np.uint8)
IMAGES = {"front": FRONT, "wrist": _RNG.integers(0, 255, (128, 128, 3), np.uint8)}
SEEN = Observation(IMAGES, POSE, 0.75, "pick up the lemon", JOINTS)
