"""How smooth the motion is that a trajectory controller executes, in eleven setups.

No ROS is needed. Each line has the largest commanded acceleration and speed at the controller's
own rate as parts of the contract's limits, the part of updates above the acceleration limit, how
many trajectories were refused, and why the node holds in the end. With an offset the controller
jumps once by itself: it joins the first trajectory from the measured position. Where the clocks
differ or the node is held up, the node sends nothing.

usage: python benchmarks/controller_model.py [ROBOT]
"""

import sys

from vlm_robot_ros.evaluation.controller_run import ControllerSetup, run_controller
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.joint_trajectory_controller import ControllerSettings

DESIRED = {"interpolate_from_desired_state": True}
SETUPS = {
    "from desired state, 250 Hz": ControllerSetup(ControllerSettings(rate=250, **DESIRED)),
    "from desired state, 500 Hz": ControllerSetup(ControllerSettings(**DESIRED)),
    "from desired state, 1000 Hz": ControllerSetup(ControllerSettings(rate=1000, **DESIRED)),
    "default, no lag": ControllerSetup(),
    "default, servos lag 20 ms": ControllerSetup(servo_lag=0.02),
    "default, no velocity states": ControllerSetup(ControllerSettings(velocity_states=False)),
    "default, offset 0.01 rad": ControllerSetup(ControllerSettings(offset=0.01)),
    "default, node's clock 0.1 s behind": ControllerSetup(clock_behind=0.1),
    "default, node's clock 0.25 s behind": ControllerSetup(clock_behind=0.25),
    "default, node held up for 25 ms": ControllerSetup(held_up=lambda tick: 0.025),
    "from desired state, held up for 50 ms": ControllerSetup(
        ControllerSettings(**DESIRED), held_up=lambda tick: 0.05
    ),
}


def main() -> None:
    """Print a table."""
    robot = load_robot(sys.argv[1] if len(sys.argv) > 1 else "fr3")
    print("| setup | acceleration | speed | updates above | refused | holds |")
    print("|---|---|---|---|---|---|")
    for name, setup in SETUPS.items():
        made = run_controller(robot, setup)
        accelerations = made.accelerations(robot)
        above = int((accelerations.max(axis=1) > 1.0).sum())
        print(
            f"| {name} | {accelerations.max():.2f} | {made.velocities(robot).max():.2f} "
            f"| {above} of {len(accelerations)} | {made.refused} of {made.sent} | {made.reason} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
