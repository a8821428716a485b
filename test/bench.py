"""The simulated arm behind its controllers' topics, driven by the policy node."""

import numpy as np
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vlm_robot_ros.msg import Latency, SimState, VlmAction
from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.robot.loader import load_robot

SINKS = [
    {"kind": "joint_trajectory", "topic": "joint_trajectory"},
    {"kind": "gripper_positions", "topic": "gripper_positions"},
]
CONTENT = yaml.safe_load((config_dir() / "arms" / "panda_sim.yaml").read_text())


def contract(folder, **changes):
    """Write a contract that differs from the simulated arm's; returns its path."""
    path = folder / "arm.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, **changes}))
    return path


def check_limits(trajectories):
    """Check speeds and accelerations of trajectories against the simulated arm's limits."""
    robot = load_robot("panda_sim")
    for message in trajectories:
        points = message.points
        times = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in points]
        speeds = np.array([point.velocities for point in points])
        changes = np.abs(np.diff(speeds, axis=0)) / np.diff(times)[:, None]
        assert np.all(np.abs(speeds) <= 1.01 * robot.velocity)
        assert np.all(changes <= 1.05 * robot.acceleration), changes.max(0) / robot.acceleration


class Bench:
    """The simulated arm that obeys its controllers only, and ears."""

    def __init__(self, graph, path, **parameters):
        self.graph, node = graph, graph.node
        self.trajectories = graph.listen(JointTrajectory, "joint_trajectory")
        self.actions = graph.listen(VlmAction, "action")
        self.joints = graph.listen(JointState, "joint_states", qos_profile_sensor_data)
        self.states = graph.listen(SimState, "arm_sim_node/state")
        self.health = graph.listen(DiagnosticArray, "/diagnostics")
        self.latencies = graph.listen(Latency, "latency")
        self.words = node.create_publisher(String, "instruction", 10)
        graph.start("arm_sim_node", seed=3, follow_action=False)
        self.policy = graph.start("policy_node", robot=path, use_sim_time=True, **parameters)
        graph.until_up(lambda: self.states and self.actions)

    def say(self, text):
        assert self.graph.until(lambda: self.words.get_subscription_count() > 0)
        self.words.publish(String(data=text))

    def lifts_something(self):
        """Ask for the first object, and wait until it is up."""
        state = self.states[-1]
        self.say(f"pick up the {state.objects[0]}")
        low = state.positions[0].z
        return self.graph.until(lambda: self.states[-1].positions[0].z > low + 0.08, 100.0)

    def until_held(self, reason):
        del self.actions[:]
        held = lambda: any(a.hold and reason in a.hold_reason for a in self.actions)  # noqa: E731
        assert self.graph.until(held), f"never held for '{reason}': {self.actions[-1:]}"

    def until_still(self):
        assert self.graph.until(lambda: self.states[-1].joint_speed < 0.02)

    def ask(self, kind, name, **request):
        return self.graph.call(kind, f"/policy_node/{name}", **request)
