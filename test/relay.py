"""A man in the middle: between the simulated arm and the policy node, to do harm there.

The arm, its cameras and its clock live in the namespace /world. What they say reaches the node
through `Relay`, and so does what the node tells the arm's controllers. Faults change what passes.
Everything that the node tells is checked as a suspicious controller would.
"""

from itertools import pairwise

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.motion.limits import limit_violation
from vlm_robot_ros.msg import SimState, VlmAction
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds
from vlm_robot_ros.sim.controller_topics import GRIPPER, contract_with_sink
from vlm_robot_ros.srv import ResetScene

ROBOT = load_robot("panda_sim")
CAMERA = ROBOT.cameras[0].topic
JOINTS, CLOCK, PATH = "joint_states", "clock", "joint_trajectory"
_SCENE, _EDGE = 6, 0.006
_BEND = 1.05
"""Part of an acceleration limit that is allowed: a node that gets no time goes on along the last
trajectory, whose cubics bend a little more between their points than what was planned."""
KINEMATICS = Kinematics(ROBOT)


def _begin_of(message):
    """When the first point of a trajectory is due [s]: its stamp, or later where motion begins."""
    return stamp_to_seconds(message.header.stamp) + stamp_to_seconds(
        message.points[0].time_from_start
    )


def _accelerations(times, velocities):
    """Return the accelerations from point to point as parts of their limits. Shape (N - 1,)."""
    most = ROBOT.acceleration * np.diff(times)[:, None] + 1e-6
    return np.max(np.abs(np.diff(velocities, axis=0)) / most, axis=1)


def _steps_within(times, velocities):
    """Tell whether velocities change from point to point by what the joints can do."""
    return bool(np.all(_accelerations(times, velocities) <= _BEND))


def _is_smooth(times, velocities):
    """Tell whether jerks are within their limits, where points are evenly spaced."""
    steps = np.diff(times)
    count = 1 + int(np.argmin(np.append(np.abs(steps - steps[0]) < 1e-6, False)))
    change = np.abs(np.diff(velocities[:count], 2, axis=0))
    return bool(np.all(change <= ROBOT.jerk * steps[0] ** 2 + 1e-6))


def _inside(place):
    """Tell whether the tool is in its workspace; to brake for its edge it has some room."""
    tool, box = KINEMATICS.forward(place)[:3, 3], ROBOT.workspace
    return bool(np.all(limit_violation(tool, np.array(box.min), np.array(box.max)) <= _EDGE))


def _is_slow(place, speeds):
    """Tell whether the tool is no faster than it may be."""
    fast = np.linalg.norm(KINEMATICS.jacobian(place)[:3] @ speeds)
    return bool(fast <= 1.02 * ROBOT.workspace.speed)


class Relay:
    """Passes everything on, through what a fault makes of it."""

    def __init__(self, graph, folder, **parameters):
        """Start the arm and the node with `parameters`, and wait until both are heard."""
        self.graph, self.node = graph, graph.node
        self.ways = {}
        """What becomes of the messages of a topic: a function from one to several."""
        self.unsafe = []
        """What the node has told the arm that it never should have."""
        self.last = {}
        """The last good message of each topic."""
        self.out, self._paths = {}, []
        for kind, topic, into, qos in (
            (Image, CAMERA, True, qos_profile_sensor_data),
            (JointState, JOINTS, True, qos_profile_sensor_data),
            (Clock, CLOCK, True, 10),
            (JointTrajectory, PATH, False, 10),
            (Float64MultiArray, GRIPPER, False, 10),
        ):
            there, here = f"/world/{topic}", f"/{topic}"
            self.out[topic] = self.node.create_publisher(kind, here if into else there, qos)
            self.node.create_subscription(kind, there if into else here, self._passing(topic), qos)
        self.words = self.node.create_publisher(String, "instruction", 100)
        self.actions = graph.listen(VlmAction, "action")
        self.health = graph.listen(DiagnosticArray, "/diagnostics")
        self.states = graph.listen(SimState, "/world/arm_sim_node/state", 10)
        contract = folder / "arm.yaml"
        contract.write_text(contract_with_sink("panda_sim", PATH))
        self._start = lambda: graph.start(
            "policy_node", robot=contract, use_sim_time=True, **parameters
        )
        graph.start(
            "arm_sim_node", "/world", ["/clock:=/world/clock"], seed=_SCENE, follow_action=False
        )
        self.start_node()

    def start_node(self):
        """Start the policy node, once more if need be, and wait until it is heard."""
        del self.actions[:]
        self.process = self._start()
        up = lambda: self.states and self.actions and self.words.get_subscription_count()  # noqa: E731
        self.graph.until_up(up)

    def _passing(self, topic):
        def passes(message):
            self.last[topic] = message
            if topic == PATH:
                self._inspect(message)
            if topic == GRIPPER:
                self._inspect_gripper(message)
            for each in self.ways.get(topic, lambda m: [m])(message):
                self.out[topic].publish(each)

        return passes

    def _inspect(self, message):
        """Check a trajectory as the most suspicious controller would."""
        points = message.points
        times = [p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in points]
        positions = np.array([point.positions for point in points])
        velocities = np.array([point.velocities for point in points])
        checks = {
            "names": tuple(message.joint_names) == tuple(ROBOT.joint_names),
            "finite": np.all(np.isfinite(positions)) and np.all(np.isfinite(velocities)),
            "times grow": times[0] >= 0.0 and all(a < b for a, b in pairwise(times)),
            "positions": np.all((positions >= ROBOT.lower) & (positions <= ROBOT.upper)),
            "velocities": np.all(np.abs(velocities) <= ROBOT.velocity + 1e-6),
            "accelerations": _steps_within(times, velocities),
            "jerks": _is_smooth(times, velocities),
            "tool": all(_inside(place) for place in positions),
            "tool's speed": all(map(_is_slow, positions, velocities)),
            "a stand at the end": not np.any(velocities[-1]),
        }
        if self._paths:
            before = self._paths[-1]
            passed = _begin_of(message) - _begin_of(before)
            way = np.abs(positions[0] - np.array(before.points[0].positions))
            allowed = ROBOT.velocity * (passed + 0.02) + 1e-3
            checks["no jump"] = passed < 0 or np.all(way <= allowed)  # time may begin again
            both = np.array([before.points[0].velocities, velocities[0]])
            checks["no jerk"] = passed <= 0 or _steps_within([0.0, passed], both)
        if not all(checks.values()):
            bad = [name for name, good in checks.items() if not good]
            told = [(m.header.stamp, m.points[0], m.points[-1]) for m in self._paths[-1:]]
            parts = _accelerations(times, velocities).round(2).tolist()
            self.unsafe.append(
                f"{bad}: {message.header.stamp} accelerations {parts} by {times} "
                f"{points[0]} after {told}"
            )
        self._paths.append(message)

    def _inspect_gripper(self, message):
        ends = sorted((ROBOT.gripper.closed, ROBOT.gripper.open))
        if len(message.data) != 1 or not ends[0] <= message.data[0] <= ends[1]:  # nan is not
            self.unsafe.append(f"the gripper is told {list(message.data)}")

    def say(self, text):
        self.words.publish(String(data=text))

    def begin(self, words="pick up the {}"):
        """Lay the scene again, give an order, and wait until the arm is under way."""
        self.ways.clear()
        del self.health[:]
        self.graph.call(Trigger, "/policy_node/reset")  # the fault before may have tripped it
        self.say("")
        self.until_held("waiting for an instruction")
        self.until_quiet()
        scene = self.graph.call(ResetScene, "/world/arm_sim_node/reset", seed=_SCENE).scene
        assert self.graph.until(lambda: self.states[-1].scene == scene)
        del self._paths[:], self.unsafe[:]
        seen = len(self.states)
        asked = words.format(self.states[-1].objects[0])
        heard = lambda: self.actions[-1].instruction == asked  # noqa: E731
        self.say(asked)
        if not self.graph.until(heard, 3.0):  # they were said on the heels of a stop
            self.say(asked)
        moves = lambda: any(state.joint_speed > 0.1 for state in self.states[seen:])  # noqa: E731
        assert self.graph.until(moves), f"no motion: {self.actions[-1]}"
        # Another topic: the last action may still be of the words before.
        assert self.graph.until(heard)

    def until_lifted(self):
        """Wait until what `begin` asks for is up; one pick in fifty needs another try."""
        low, words = self.states[-1].positions[0].z, self.actions[-1].instruction
        lifted = lambda: self.states[-1].positions[0].z > low + 0.08  # noqa: E731
        for _ in range(3):
            if self.graph.until(lifted, 60.0):
                return
            self.say("go home")
            self.until_acting()
            self.say(words)
        raise AssertionError(f"nothing was lifted: {self.actions[-1]}")

    def _is_quiet(self):
        if not self._paths:
            return True
        # The node's actions tell that it is not silent because it gets no time.
        told = (self.states[-1], self.actions[-1], self._paths[-1])
        now, acted, last = (stamp_to_seconds(message.header.stamp) for message in told)
        return min(now, acted) - last > 0.3

    def until_held(self, reason):
        """Wait for a hold that says `reason`."""
        del self.actions[:]
        held = lambda: any(a.hold and reason in a.hold_reason for a in self.actions)  # noqa: E731
        assert self.graph.until(held), f"never held for '{reason}': {self.actions[-1:]}"

    def until_acting(self):
        del self.actions[:]
        acts = lambda: any(not action.hold for action in self.actions)  # noqa: E731
        assert self.graph.until(acts), f"it does not act: {self.actions[-1:]}"

    def until_told(self, reason):
        """Wait until the diagnostics name the cause."""
        texts = lambda: [s.message for m in self.health for s in m.status]  # noqa: E731
        told = lambda: any(reason in text for text in texts())  # noqa: E731
        assert self.graph.until(told), f"'{reason}' is in none of {texts()[-3:]}"

    def until_still(self):
        """Wait until the arm has come to a stand, and check that it stays so."""
        stands = lambda: all(state.joint_speed < 0.02 for state in self.states[-10:])  # noqa: E731
        assert self.graph.until(stands), "the arm does not come to a stand"
        seen = len(self.states)
        assert self.graph.until(lambda: len(self.states) >= seen + 25)
        fastest = max(state.joint_speed for state in self.states[seen:])
        assert fastest < 0.05, f"an arm that should stand moves: {fastest:.2f} rad/s"

    def until_quiet(self):
        """Wait until nothing more is told to an arm that stands."""
        assert self.graph.until(self._is_quiet), "the node goes on telling an arm that stands"
