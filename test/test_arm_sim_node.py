"""The simulated arm as a process, over real DDS."""

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from geometry_msgs.msg import PoseStamped  # noqa: E402
from rclpy.qos import qos_profile_sensor_data  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, JointState  # noqa: E402
from std_msgs.msg import Float64, Float64MultiArray  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from vlm_robot_ros.msg import SimState, VlmAction  # noqa: E402
from vlm_robot_ros.robot.loader import load_robot  # noqa: E402
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds  # noqa: E402
from vlm_robot_ros.srv import ResetScene  # noqa: E402

ROBOT = load_robot("panda_sim")
POSE = ["x", "y", "z", "qx", "qy", "qz", "qw"]


class Arm:
    """The simulator in lockstep: time passes when the test says so."""

    def __init__(self, graph, **parameters):
        self.graph = graph
        self.states = graph.listen(SimState, "/arm_sim_node/state")
        self.joints = graph.listen(JointState, "joint_states")
        self.actions = graph.node.create_publisher(VlmAction, "action", 10)
        self.process = graph.start("arm_sim_node", **parameters)

    def step(self, times=1):
        for _ in range(times):
            answer = self.graph.call(Trigger, "/arm_sim_node/step")
            assert answer.success
            # The answer may overtake what the step has published.
            assert self.graph.until(lambda now=float(answer.message): self.has_told(now))

    def has_told(self, now):
        """Return whether states and joints of a time have come."""
        return all(
            told and stamp_to_seconds(told[-1].header.stamp) > now - 0.001
            for told in (self.states, self.joints)
        )

    def reset(self, seed=5):
        answer = self.graph.call(ResetScene, "/arm_sim_node/reset", seed=seed)
        assert answer.success
        assert self.graph.until(lambda: self.states and self.states[-1].scene == answer.scene)
        state = self.states[-1]
        # Topics keep no order among them: joints of the scene before may still be the last ones.
        assert self.graph.until(
            lambda: (
                self.joints
                and stamp_to_seconds(self.joints[-1].header.stamp)
                >= stamp_to_seconds(state.header.stamp)
            )
        )
        return state

    def send(self, publisher, message, times=15):
        """Publish a command, and let it be followed."""
        assert self.graph.until(lambda: publisher.get_subscription_count() > 0)
        publisher.publish(message)
        # A service call is answered by the same thread that takes the message, but may overtake
        # it: steps after the first find it there.
        self.step(times)

    def action(self, mode, values, names=POSE, **fields):
        message = VlmAction(mode=mode, names=names, values=[float(v) for v in values], gripper=1.0)
        message.header.stamp.sec = 10**6
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    def pose(self, place, frame=ROBOT.base_frame):
        """Return a pose of now of a tool that points down."""
        message = PoseStamped()
        message.header.frame_id, message.header.stamp = frame, self.states[-1].header.stamp
        message.pose.position.x, message.pose.position.y, message.pose.position.z = place
        message.pose.orientation.x, message.pose.orientation.w = 1.0, 0.0
        return message

    def reads_on(self):
        """Follow one more action: what the same topic brought before has been read by then."""
        goal = self.tool + np.array([0.0, 0.0, 0.02])
        self.send(self.actions, self.action(VlmAction.END_EFFECTOR_POSE, [*goal, 1, 0, 0, 0]))
        np.testing.assert_allclose(self.tool, goal, atol=0.005)

    @property
    def tool(self):
        self.graph.until(lambda: self.states)
        return np.array([getattr(self.states[-1].tool, axis) for axis in "xyz"])

    @property
    def angles(self):
        return np.array(self.joints[-1].position[:7])


@pytest.fixture(scope="module")
def running(lasting_graph):
    arm = Arm(lasting_graph, real_time_factor=0.0)
    # Services may be found before topics, and what nobody hears yet does not come later.
    while not (arm.states and arm.joints):
        assert lasting_graph.call(Trigger, "/arm_sim_node/step").success
        lasting_graph.until(lambda: arm.states and arm.joints, 0.5)
    return arm


@pytest.fixture
def arm(running):
    running.reset()
    return running


def test_time_passes_by_steps_and_everything_carries_it(arm):
    clock = arm.graph.listen(Clock, "/clock")
    images = arm.graph.listen(Image, ROBOT.cameras[0].topic, qos_profile_sensor_data)
    infos = arm.graph.listen(CameraInfo, "camera/front/camera_info", qos_profile_sensor_data)
    wrist = arm.graph.listen(Image, ROBOT.cameras[1].topic, qos_profile_sensor_data)

    def came():
        return clock and images and infos and wrist

    while not came():
        arm.step()
        arm.graph.until(came, 0.1)
    before = arm.states[-1]
    arm.step(10)
    arm.graph.until(
        lambda: (
            stamp_to_seconds(arm.states[-1].header.stamp)
            > stamp_to_seconds(before.header.stamp) + 0.99
        )
    )
    assert stamp_to_seconds(arm.states[-1].header.stamp) - stamp_to_seconds(
        before.header.stamp
    ) == pytest.approx(1.0)
    assert images[-1].encoding == "rgb8"
    assert (images[-1].width, images[-1].height) == (256, 256)
    assert images[-1].header.frame_id == ROBOT.cameras[0].frame
    info = infos[-1]
    assert arm.graph.until(
        lambda: info.header.stamp in [image.header.stamp for image in images]
    ), "topics keep no order among them"
    assert info.k[0] == pytest.approx(128 / np.tan(np.deg2rad(22.5)))
    assert list(arm.joints[-1].name) == [*ROBOT.joint_names, ROBOT.gripper.joint]
    assert np.std(np.frombuffer(images[-1].data, np.uint8)) > 10


def test_the_same_seed_gives_the_same_scene_and_time_goes_on(arm):
    first = arm.reset(seed=7)
    other = arm.reset(seed=8)
    again = arm.reset(seed=7)
    assert first.objects == again.objects
    assert first.positions == again.positions
    assert other.positions != first.positions
    assert (again.seed, again.scene) == (7, first.scene + 2)
    assert stamp_to_seconds(again.header.stamp) > stamp_to_seconds(first.header.stamp)


def test_it_follows_end_effector_poses(arm):
    arm.send(arm.actions, arm.action(VlmAction.END_EFFECTOR_POSE, [0.5, 0.1, 0.3, 1, 0, 0, 0]))
    np.testing.assert_allclose(arm.tool, [0.5, 0.1, 0.3], atol=0.005)


def test_it_follows_end_effector_deltas(arm):
    before = arm.tool
    arm.send(
        arm.actions, arm.action(VlmAction.END_EFFECTOR_DELTA, [0.02, -0.03, -0.02, 0, 0, 0, 1])
    )
    np.testing.assert_allclose(arm.tool - before, [0.02, -0.03, -0.02], atol=0.005)


def test_it_follows_joint_positions_by_name(arm):
    goal = np.array(ROBOT.home) + 0.1
    names = list(ROBOT.joint_names)
    arm.send(arm.actions, arm.action(VlmAction.JOINT_POSITION, goal[::-1], names[::-1]))
    np.testing.assert_allclose(arm.angles, goal, atol=0.01)


def test_it_follows_joint_deltas(arm):
    before = arm.angles
    delta = [0.05, 0, 0, 0, 0, 0, -0.05]
    arm.send(arm.actions, arm.action(VlmAction.JOINT_DELTA, delta, list(ROBOT.joint_names)))
    np.testing.assert_allclose(arm.angles - before, delta, atol=0.01)


def test_it_follows_what_other_controllers_take(arm):
    joints = arm.graph.node.create_publisher(Float64MultiArray, "joint_command", 10)
    goal = np.array(ROBOT.home) - 0.1
    arm.send(joints, Float64MultiArray(data=goal.tolist()))
    np.testing.assert_allclose(arm.angles, goal, atol=0.01)
    poses = arm.graph.node.create_publisher(PoseStamped, "pose_command", 10)
    goal = [0.45, -0.1, 0.25]
    for _ in range(12):  # Servo follows a pose for 0.1 s by its stamp
        arm.send(poses, arm.pose(goal), 5)
    np.testing.assert_allclose(arm.tool, goal, atol=0.005)
    gripper = arm.graph.node.create_publisher(Float64, "gripper_command", 10)
    arm.send(gripper, Float64(data=0.25))
    assert arm.joints[-1].position[7] == pytest.approx(0.01, abs=0.002)


def test_a_hold_stops_it_wherever_it_is(arm):
    arm.send(arm.actions, arm.action(VlmAction.END_EFFECTOR_POSE, [0.6, 0.3, 0.1, 1, 0, 0, 0]), 2)
    moving = arm.tool
    arm.send(
        arm.actions,
        arm.action(VlmAction.END_EFFECTOR_POSE, [0.6, 0.3, 0.1, 1, 0, 0, 0], hold=True),
    )
    assert np.linalg.norm(arm.tool - moving) < 0.1
    assert np.linalg.norm(arm.tool - [0.6, 0.3, 0.1]) > 0.05
    assert arm.states[-1].joint_speed < 0.02


def test_an_action_for_the_scene_before_is_ignored(arm):
    old = arm.action(VlmAction.END_EFFECTOR_POSE, [0.6, 0.3, 0.1, 1, 0, 0, 0])
    old.header.stamp.sec = 0
    before = arm.tool
    arm.send(arm.actions, old)
    np.testing.assert_allclose(arm.tool, before, atol=0.002)
    arm.reads_on()


NAN = float("nan")


@pytest.mark.parametrize(
    ("mode", "values", "fields"),
    [
        (VlmAction.END_EFFECTOR_POSE, [NAN, 0, 0.3, 1, 0, 0, 0], {}),
        (VlmAction.END_EFFECTOR_POSE, [0.5, 0.1, 0.3, 0, 0, 0, 0], {}),
        (VlmAction.END_EFFECTOR_POSE, [0.5, 0.1, 0.3, 1, 0, 0, 0], {"names": ["a"] * 7}),
        (VlmAction.JOINT_POSITION, [0.0] * 7, {}),  # the names are those of a pose
        (VlmAction.END_EFFECTOR_POSE, [0.5, 0.1, 0.3, 1, 0, 0, 0], {"gripper": NAN}),
        (200, [0.5, 0.1, 0.3, 1, 0, 0, 0], {}),
    ],
)
def test_a_command_that_cannot_be_followed_leaves_it_where_it_is(arm, mode, values, fields):
    before = arm.angles if arm.joints else None
    arm.send(arm.actions, arm.action(mode, values, **fields))
    np.testing.assert_allclose(arm.angles, before, atol=0.005)
    arm.reads_on()


def test_wrong_lengths_and_frames_leave_it_where_it_is(arm):
    before = arm.angles
    joints = arm.graph.node.create_publisher(Float64MultiArray, "joint_command", 10)
    arm.send(joints, Float64MultiArray(data=[0.1] * 3))
    arm.send(joints, Float64MultiArray(data=[]))
    np.testing.assert_allclose(arm.angles, before, atol=0.005)
    goal = np.array(ROBOT.home) - 0.05
    arm.send(joints, Float64MultiArray(data=goal.tolist()))
    np.testing.assert_allclose(arm.angles, goal, atol=0.01)
    before = arm.angles
    poses = arm.graph.node.create_publisher(PoseStamped, "pose_command", 10)
    goal, late = [0.5, 0.1, 0.3], arm.pose([0.5, 0.1, 0.3])
    arm.step(6)
    for wrong in (arm.pose(goal, "moon"), arm.pose(goal, ""), late):
        arm.send(poses, wrong)
        np.testing.assert_allclose(arm.angles, before, atol=0.005)
    for _ in range(12):
        arm.send(poses, arm.pose(goal), 5)
    np.testing.assert_allclose(arm.tool, goal, atol=0.005)


def test_in_real_time_a_slow_factor_slows_the_clock(graph):
    arm = Arm(graph, real_time_factor=0.25, seed=3)
    assert graph.until(lambda: len(arm.states) > 25, 100.0)
    assert not graph.call(Trigger, "/arm_sim_node/step").success
    first, last = arm.states[0], arm.states[-1]
    steps = round(
        (stamp_to_seconds(last.header.stamp) - stamp_to_seconds(first.header.stamp)) / 0.02
    )
    assert abs(steps - (len(arm.states) - 1)) <= 2  # one step a message, none skipped
    assert last.seed == 3
