"""A first question to the policy of a server, before anything moves."""

import numpy as np

from vlm_robot_ros.inference.worker import InferenceRequest, run_inference
from vlm_robot_ros.interfaces.action import check_chunk, chunk_of_arm
from vlm_robot_ros.interfaces.observation import ArmObservation, Observation
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.motion.limits import implausibility
from vlm_robot_ros.robot.config import RobotConfig

_QUESTION = "hold still"


def first_answer_problem(policy: Policy, robot: RobotConfig) -> str:
    """Ask a policy once, about robots at home and images of noise; the answer is not executed.

    Servers load and compile much when they are asked first, too.

    Returns:
        Why the arm will hold, if the policy goes on to answer so; empty where it will not.
    """
    rng, states = np.random.default_rng(0), dict[str, ArmObservation]()
    for arm in robot.arms:
        home = np.array(arm.home)
        pose = transform_to_pose7(Kinematics(arm).forward(home))
        states[arm.arm] = ArmObservation(pose, 1.0, home)
    images = {
        name: rng.integers(0, 255, _image_shape(robot, name), np.uint8) for name in policy.cameras
    }
    own = states.pop(robot.arm)
    seen = Observation(images, own.pose, own.opening, _QUESTION, own.joints, others=states)
    chunk = run_inference(policy, InferenceRequest(seen, 0.0, 0), -1)
    if chunk.hold:
        return str(chunk.hold)
    for arm in robot.arms:
        answer = chunk if arm is robot else chunk_of_arm(chunk, arm.arm)
        state = own if arm is robot else states[arm.arm]
        try:
            check_chunk(answer, len(arm.joints))
        except ValueError as error:
            return str(error)
        if problem := answer.hold or implausibility(arm, answer, state.joints, state.pose):
            return problem
    return ""


def _image_shape(robot: RobotConfig, name: str) -> tuple[int, int, int]:
    camera = robot.camera(name)
    height, width = camera.crop[2:] if camera.crop else (camera.height, camera.width)
    return height, width, 3
