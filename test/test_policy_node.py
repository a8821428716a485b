"""The policy node as a process, over real DDS, fed by a camera and an arm of the test's own."""

import io

import numpy as np
import pytest
import yaml

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from builtin_interfaces.msg import Time  # noqa: E402
from PIL import Image as PilImage  # noqa: E402
from rclpy.qos import qos_profile_sensor_data  # noqa: E402
from rig import LATCHED, ROBOT, TOPIC, Rig, bring_up  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image, JointState  # noqa: E402
from std_msgs.msg import Header, String  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from visualization_msgs.msg import MarkerArray  # noqa: E402

from vlm_robot_ros.data.image_decoding import to_rgb  # noqa: E402
from vlm_robot_ros.msg import VlmAction  # noqa: E402
from vlm_robot_ros.paths import config_dir  # noqa: E402


@pytest.fixture(scope="module")
def running(lasting_graph, scene):
    """One node for all tests that leave it running."""
    return bring_up(lasting_graph, scene)


@pytest.fixture
def rig(running):
    running.rest()
    running.graph.call(Trigger, "/policy_node/reset")  # a stop of before would be in the way
    running.say("")
    running.until_held("waiting for an instruction")
    return running


def test_it_does_what_is_said_and_says_what_it_does(rig):
    current = rig.graph.listen(String, "current_instruction", LATCHED)
    rig.say(rig.command)
    rig.until_acting()
    assert rig.graph.until(lambda: rig.chunks and rig.labels)
    action = next(action for action in rig.actions if not action.hold)
    assert action.instruction == rig.command
    assert action.instruction_id >= 1
    assert action.mode == VlmAction.END_EFFECTOR_POSE
    assert list(action.names) == ["x", "y", "z", "qx", "qy", "qz", "qw"]
    assert action.header.frame_id == ROBOT.base_frame
    assert np.linalg.norm(action.values[3:]) == pytest.approx(1.0)
    chunk, label = rig.chunks[-1], rig.labels[-1]
    assert len(chunk.values) == 7 * chunk.horizon == 7 * len(chunk.gripper)
    assert chunk.step_dt > 0
    assert chunk.inference_time > 0
    assert label.label.startswith("pick up the ")
    assert label.top_labels[0] == label.label
    assert label.top_scores[0] == label.score
    assert rig.graph.until(lambda: current and current[-1].data == rig.command)
    # A late listener gets the instruction too, and knows that the arm is acting.
    late = rig.graph.listen(String, "current_instruction", LATCHED)
    assert rig.graph.until(lambda: late and late[0].data == rig.command)
    assert rig.graph.until(lambda: rig.health and rig.health[-1].status[0].message == "acting")


def test_who_listens_sees_where_the_words_lead(rig):
    overlays = rig.graph.listen(Image, "overlay")
    rig.say(rig.command)
    # The node may have shown first that it holds.
    assert rig.graph.until(lambda: rig.planned(overlays))
    planned = rig.planned(overlays)[-1]
    shown = to_rgb(planned).astype(int)
    assert shown.shape == (2 * 176 + 66, 480, 3)
    image = shown[: 2 * 176]
    red = image[..., 0] - image[..., 1:].max(-1) > 100
    assert 10 < red.sum() < 0.1 * red.size  # on the target, and nowhere else
    green = image[..., 1] - image[..., ::2].max(-1) > 100
    assert 10 < green.sum() < 0.1 * green.size  # the way that is planned
    assert shown[2 * 176 :].max() > 200  # and words
    assert planned.header.stamp.sec > 0


def test_a_hold_is_shown_in_red(rig):
    overlays = rig.graph.listen(Image, "overlay")
    rig.say(rig.command)
    rig.until_acting()
    rig.say("stop")
    rig.until_held("stopped by")

    def red():
        shown = to_rgb(overlays[-1]).astype(int)
        return shown[..., 0] - shown[..., 1] > 100

    assert rig.graph.until(lambda: overlays and red()[1].all())  # a frame
    assert red()[-30:].any()  # and why


def test_markers_show_target_plan_and_workspace(rig):
    arrays = rig.graph.listen(MarkerArray, "markers")
    rig.say(rig.command)
    assert rig.graph.until(lambda: arrays and len(arrays[-1].markers) > 3)
    marks = {mark.ns: mark for mark in arrays[-1].markers}
    assert {"workspace", "plan", "target", "goal"} < set(marks)
    assert {mark.header.frame_id for name, mark in marks.items() if name} == {ROBOT.base_frame}
    assert len(marks["workspace"].points) == 24  # two ends of twelve edges
    corners = np.array([[p.x, p.y, p.z] for p in marks["workspace"].points])
    assert np.array_equal(corners.min(0), ROBOT.workspace.min)
    assert np.array_equal(corners.max(0), ROBOT.workspace.max)
    drawn = marks["plan"].header.stamp
    chunks = lambda: [chunk for chunk in rig.chunks if chunk.header.stamp == drawn]  # noqa: E731
    assert rig.graph.until(chunks), "topics keep no order among them"
    chunk = chunks()[0]
    plan = [[p.x, p.y, p.z] for p in marks["plan"].points]
    assert len(plan) == chunk.horizon
    target = marks["target"].pose.position
    assert ROBOT.workspace.min[0] < target.x < ROBOT.workspace.max[0]
    assert 0 < target.z < 0.15


def test_stop_needs_no_camera(rig):
    rig.say(rig.command)
    rig.until_acting()
    rig.send_image = lambda: None
    rig.say("oh please STOP!")
    rig.until_held("stopped by 'oh please STOP!'")


def test_what_means_nothing_is_held_and_why_is_said(rig):
    rig.say("sing me a song")
    rig.until_held("'sing me a song' asks for nothing")
    rig.say("")
    rig.until_held("waiting for an instruction")
    count = rig.actions[-1].instruction_id
    rig.say("\x1b[31m\x07" * 99 + "!" * 99_000)
    assert rig.graph.until(lambda: rig.actions[-1].instruction_id == count + 1)
    rig.until_held("asks for nothing")
    rig.say(rig.command)
    rig.until_acting()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoding": "8UC7"}, "encoding '8UC7'; valid: rgb8, bgr8"),
        ({"data": b"\x01" * 1000}, "1000 bytes of data; 256 rows of step 768 are 196608"),
        ({"height": 0}, "size 256x0"),
        ({"step": 5}, "step 5 for 256 pixels"),
        ({"header": Header(stamp=Time(sec=-1))}, "stamp of -1 s"),
        ({"height": 128}, "256x128, but the contract has 256x256"),
        ({"encoding": "mono8", "width": 768}, "768x256, but the contract has 256x256"),
    ],
)
def test_an_image_that_cannot_be_one_is_held_for_until_a_good_one_comes(rig, changes, reason):
    rig.say(rig.command)
    rig.until_acting()
    if "height" in changes:
        changes = {**changes, "data": bytes(768 * changes["height"])}
    rig.send_image = lambda: rig.camera.publish(rig.image(**changes))
    rig.until_held(reason)
    rig.send_image = lambda: rig.camera.publish(rig.image())
    rig.until_acting()


def test_an_image_of_half_the_size_is_scaled_and_warned_of(rig):
    rig.say(rig.command)
    rig.until_acting()
    half = np.ascontiguousarray(rig.pixels[::2, ::2])
    small = {"height": 128, "width": 128, "step": 384, "data": half.tobytes()}
    rig.send_image = lambda: rig.camera.publish(rig.image(**small))
    told = lambda: [  # noqa: E731
        status
        for status in rig.health[-1].status
        if status.name.endswith("front camera") and status.level == b"\x01"
        and "size 128x128, but the contract has 256x256: scaled" in status.message
    ]  # fmt: skip
    assert rig.graph.until(lambda: bool(rig.health) and bool(told()))
    rig.until_acting()
    rig.send_image = lambda: rig.camera.publish(rig.image())
    assert rig.graph.until(lambda: not told())


def test_a_frozen_stamp_is_held_for(rig):
    rig.say(rig.command)
    rig.until_acting()
    frozen = rig.image()
    rig.send_image = lambda: rig.camera.publish(frozen)
    rig.until_held("front camera: the stamp is frozen")
    rig.send_image = lambda: rig.camera.publish(rig.image())
    rig.until_acting()


def test_a_camera_or_an_arm_that_is_gone_is_held_for(rig):
    rig.say(rig.command)
    rig.until_acting()
    send, rig.send_image = rig.send_image, lambda: None
    rig.until_held("front camera: ")
    rig.send_image = send
    rig.until_acting()
    rig.send_joints = lambda: None
    rig.until_held("joint states: ")


def test_joints_of_another_arm_are_named(rig):
    message = JointState(name=["elbow"], position=[1.0])
    rig.send_joints = lambda: rig.joints.publish(message)
    rig.until_held("given: elbow")
    nan = JointState(name=[*ROBOT.joint_names, ROBOT.gripper.joint], position=[float("nan")] * 8)
    rig.send_joints = lambda: rig.joints.publish(nan)
    rig.until_held("not finite")


def test_a_command_while_the_policy_thinks_wins(rig):
    """Words change faster than the policy thinks: no action ever answers older words."""
    texts = [rig.command, f"push the {rig.command.removeprefix('pick up the ')} left"]
    rig.say(rig.command)
    rig.until_acting()
    first = rig.actions[-1].instruction_id
    del rig.actions[:]
    for number in range(1, 41):
        rig.words.publish(String(data=texts[number % 2]))
        heard = lambda number=number: (  # noqa: E731
            rig.actions and rig.actions[-1].instruction_id == first + number
        )
        assert rig.graph.until(heard)
        rig.graph.until(lambda: False, 0.004 * (number % 10))  # at all moments of a thought
    assert rig.graph.until(lambda: not rig.actions[-1].hold)
    actions = list(rig.actions)
    numbers = [action.instruction_id for action in actions]
    assert numbers == sorted(numbers)
    for action in actions:
        assert action.instruction == texts[(action.instruction_id - first) % 2]
    acted = {(a.instruction_id, str(a.header.stamp)) for a in actions if not a.hold}
    plans = lambda: {(c.instruction_id, str(c.header.stamp)) for c in rig.chunks}  # noqa: E731
    # Another topic: the plan of the last action may come after it.
    assert rig.graph.until(lambda: acted <= plans()), f"of no plan: {acted - plans()}"


@pytest.mark.long
def test_compressed_images_do_as_well(graph, scene, tmp_path):
    rig = Rig(graph, scene[0])
    camera = graph.node.create_publisher(
        CompressedImage, f"{TOPIC}/compressed", qos_profile_sensor_data
    )

    def send(data=None):
        buffer = io.BytesIO()
        PilImage.fromarray(scene[0]).save(buffer, "JPEG", quality=92)
        message = CompressedImage(format="jpeg", data=data or buffer.getvalue())
        message.header.stamp = rig.clock.now().to_msg()
        camera.publish(message)

    rig.send_image = send
    content = yaml.safe_load((config_dir() / "arms" / "panda_sim.yaml").read_text())
    for eye in content["cameras"]:
        eye["transport"] = "compressed"
    contract = tmp_path / "arm.yaml"
    contract.write_text(yaml.safe_dump(content))
    graph.start("policy_node", robot=contract)
    assert graph.until(lambda: rig.actions, 100.0)
    rig.say(f"pick up the {scene[1]}")
    rig.until_acting()
    for data, problem in (
        (b"\xff\xd8\xff no image", "no JPEG that can be decoded"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\0IHDR", "no PNG that can be decoded"),
        (b"GIF89a", "GIF, no JPEG or PNG"),
    ):
        rig.send_image = lambda data=data: send(data)
        rig.until_held(f"{len(data)} bytes is {problem}")
    rig.send_image = send
    rig.until_acting()


@pytest.mark.long
def test_the_hold_policy_holds(graph, scene):
    rig = Rig(graph, scene[0])
    graph.start("policy_node", policy="hold")
    assert graph.until(lambda: rig.actions, 100.0)
    rig.say(f"pick up the {scene[1]}")
    rig.until_held("this is the hold policy")
