"""What MoveIt Servo and its trajectory controller make of a straight way, by what Servo smooths.

The tool goes 0.22 m aside and down within all limits, as twists and as poses; Servo and the
controller are simulated, without ROS. Each line has the largest commanded velocity, acceleration
and jerk at the controller's own rate as parts of the contract's limits, and how far the tool is
from its goal after two and after four seconds.

usage: python benchmarks/servo_model.py [ROBOT]
"""

import sys
from itertools import product

import numpy as np

from vlm_robot_ros.demo.script import sample_seeded_scene
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.kinematics.kinematics import transform_to_pose7
from vlm_robot_ros.motion.motion_controller import PREVIEW_TICKS, MotionController
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.joint_trajectory_controller import ControllerSettings
from vlm_robot_ros.sim.moveit_servo import ServoSettings
from vlm_robot_ros.sim.servo_smoothing import SMOOTHING
from vlm_robot_ros.sim.simulator import CONTROL_PERIOD, Simulator

WAY = [0.0, 0.2, -0.1]
"""In the base frame [m]."""
SECONDS = 4.0


def run(robot: RobotConfig, smoothing: str, kind: str) -> tuple[list[float], list[float]]:
    """Return the extremes, as parts of the limits, and the tool's distances from its goal [m]."""
    controller = ControllerSettings(interpolate_from_desired_state=True)
    sim = Simulator(robot, controller, ServoSettings(smoothing=smoothing))  # type: ignore[arg-type]
    sim.reset(sample_seeded_scene(0))
    driver = MotionController(robot, CONTROL_PERIOD, tool_commands=True)
    goal = transform_to_pose7(sim.kinematics.forward(sim.joint_positions))
    goal[:3] += WAY
    sim.servo().switch_command_type(kind)
    distances = []
    for _ in range(round(SECONDS / CONTROL_PERIOD)):
        command = ActionCommand(
            ActionMode.END_EFFECTOR_POSE, goal, 1.0, sim.time, 1.0, "", EMPTY_INSTRUCTION
        )
        drive = driver.update(sim.time, command, [goal] * PREVIEW_TICKS, sim.joint_positions)
        assert drive is not None, driver.tripped or driver.waiting
        told = drive.twist if kind == "twist" else drive.pose
        sim.servo().receive(kind, sim.time, robot.base_frame, told)
        sim.step()
        distances.append(float(np.linalg.norm(sim.tool_position - goal[:3])))
    sim.close()
    return sim.execution.extremes.largest, [distances[len(distances) // 2], distances[-1]]


def main() -> None:
    """Print a table."""
    robot = load_robot(sys.argv[1] if len(sys.argv) > 1 else "panda_sim")
    print("| smoothing | sink | velocity | acceleration | jerk | after 2 s | after 4 s |")
    print("|---|---|---|---|---|---|---|")
    for smoothing, kind in product(SMOOTHING, ("twist", "pose")):
        parts, distances = run(robot, smoothing, kind)
        figures = [*(f"{part:.2f}" for part in parts), *(f"{1e3 * d:.1f} mm" for d in distances)]
        print(f"| {smoothing} | {kind} | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
