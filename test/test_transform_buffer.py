"""Transforms between frames over time, as TF publishes them."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vlm_robot_ros.kinematics.transform_buffer import TransformBuffer, TransformError
from vlm_robot_ros.robot.config import Camera
from vlm_robot_ros.runtime.transforms import add_transforms, placed_camera

STILL = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def pose(x=0.0, y=0.0, z=0.0, yaw=0.0):
    return np.array([x, y, z, *Rotation.from_euler("z", yaw).as_quat()])


def moving(**limits):
    """Return a buffer where a hand with a camera moves along x at 1 m/s, from 1 to 2 s."""
    buffer = TransformBuffer(**limits)
    for time in np.linspace(1.0, 2.0, 11):
        buffer.add("base", "hand", time, pose(x=time, yaw=time - 1))
    buffer.add("hand", "camera", 0.0, pose(z=0.1), static=True)
    return buffer


@given(st.floats(1.0, 2.0))
def test_a_frame_on_a_moving_one_is_where_both_say_between_two_samples(time):
    found = moving().look_up("base", "camera", time)
    np.testing.assert_allclose(found[:3, 3], [time, 0.0, 0.1], atol=1e-9)
    np.testing.assert_allclose(
        Rotation.from_matrix(found[:3, :3]).magnitude(), time - 1, atol=1e-6
    )


def test_there_and_back_is_the_identity():
    buffer = moving()
    there = buffer.look_up("base", "camera", 1.55)
    np.testing.assert_allclose(
        there @ buffer.look_up("camera", "base", 1.55), np.eye(4), atol=1e-9
    )


def test_frames_of_two_branches_meet_in_what_they_share():
    buffer = moving()
    buffer.add("base", "table", 0.0, pose(y=2.0), static=True)
    found = buffer.look_up("table", "camera", 1.5)
    np.testing.assert_allclose(found[:3, 3], [1.5, -2.0, 0.1], atol=1e-9)


def test_a_frame_in_itself_needs_no_transform():
    np.testing.assert_array_equal(TransformBuffer().look_up("base", "base", 1.0), np.eye(4))


def test_slashes_before_names_say_nothing():
    buffer = TransformBuffer()
    buffer.add("/base", "/camera", 0.0, pose(x=1.0), static=True)
    assert buffer.look_up("base", "camera", 99.0)[0, 3] == 1.0


def test_a_little_after_the_last_sample_it_is_still_there():
    assert moving().look_up("base", "camera", 2.05)[0, 3] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("base", "frame", "time", "problem"),
    [
        ("base", "camera", 2.5, "0.50 s after the last transform; valid: 0.1 s"),
        ("base", "camera", 0.5, "0.50 s before the first transform"),
        ("base", "eye", 1.5, "there is no frame 'eye'; known frames: base, camera, hand"),
        ("world", "camera", 1.5, "there is no frame 'world'"),
        ("other", "camera", 1.5, "the frames 'camera' and 'other' are not connected"),
    ],
)
def test_what_is_not_known_is_told(base, frame, time, problem):
    buffer = moving()
    buffer.add("island", "other", 0.0, pose(), static=True)
    if "known frames" in problem:
        buffer = moving()
    with pytest.raises(TransformError, match=problem.replace(".", r"\.")):
        buffer.look_up(base, frame, time)


def test_an_empty_buffer_knows_no_frame():
    with pytest.raises(TransformError, match="no frame 'camera'; known frames: none"):
        TransformBuffer().look_up("base", "camera", 0.0)


def test_samples_may_come_out_of_order_and_the_first_of_a_time_counts():
    buffer = TransformBuffer()
    for time, x in ((1.0, 1.0), (1.4, 1.4), (1.2, 5.0), (1.2, 7.0)):
        buffer.add("base", "hand", time, pose(x=x))
    assert buffer.look_up("base", "hand", 1.2)[0, 3] == 5.0


def test_old_samples_are_forgotten():
    buffer = moving(kept=0.33)
    with pytest.raises(TransformError, match="before the first"):
        buffer.look_up("base", "hand", 1.6)
    assert buffer.look_up("base", "hand", 1.75)[0, 3] == pytest.approx(1.75)


def test_when_time_is_set_back_what_was_before_is_forgotten():
    buffer = moving()
    buffer.add("base", "hand", 0.2, pose(x=9.0))
    assert buffer.look_up("base", "hand", 0.25)[0, 3] == 9.0
    with pytest.raises(TransformError):
        buffer.look_up("base", "hand", 1.5)


def test_a_frame_that_is_mounted_elsewhere_forgets_where_it_was():
    buffer = moving()
    buffer.add("table", "hand", 1.5, pose(x=3.0))
    with pytest.raises(TransformError, match=r"not connected|no frame"):
        buffer.look_up("base", "hand", 1.5)
    assert buffer.look_up("table", "hand", 1.5)[0, 3] == 3.0


def test_a_loop_of_parents_is_an_error_and_no_hang():
    buffer = TransformBuffer()
    buffer.add("a", "b", 0.0, pose(), static=True)
    buffer.add("b", "a", 0.0, pose(), static=True)
    with pytest.raises(TransformError, match="loop"):
        buffer.look_up("base", "b", 0.0)


@pytest.mark.parametrize(
    ("parent", "child", "given"),
    [
        ("", "hand", STILL),
        ("base", "", STILL),
        ("base", "base", STILL),
        ("base", "hand", (*STILL[:6], 0.0)),
        ("base", "hand", (np.nan, *STILL[1:])),
        ("base", "hand", (*STILL[:6], np.inf)),
    ],
)
def test_what_is_no_transform_is_refused_and_leaves_the_buffer_as_it_was(parent, child, given):
    buffer = moving()
    with pytest.raises(TransformError, match="valid"):
        buffer.add(parent, child, 1.5, np.array(given))
    assert buffer.look_up("base", "camera", 1.5)[0, 3] == pytest.approx(1.5)


def message(*transforms):
    """Return what a TFMessage holds: parent, child, time [s] and pose of each."""
    vector = SimpleNamespace
    return vector(transforms=[
        vector(
            header=vector(frame_id=parent,
                          stamp=vector(sec=int(time), nanosec=int(time % 1 * 1e9))),
            child_frame_id=child,
            transform=vector(translation=vector(x=at[0], y=at[1], z=at[2]),
                             rotation=vector(x=at[3], y=at[4], z=at[5], w=at[6])),
        )
        for parent, child, time, at in transforms
    ])  # fmt: skip


def test_a_camera_is_where_tf_has_it_at_the_time_of_its_image():
    buffer = TransformBuffer()
    moved = [("base", "eye", time, pose(x=time, yaw=0.5)) for time in (1.0, 1.5)]
    assert not list(add_transforms(buffer, message(*moved), static=False))
    camera = Camera("front", "image", "eye", 4, 4, 10.0, depth=True, pose_from_tf=True)
    found = placed_camera(camera, "base", buffer, 1.25).pose
    np.testing.assert_allclose(found, [1.25, 0.0, 0.0, 0.0, 0.0, 0.5], atol=1e-9)
    with pytest.raises(TransformError):
        placed_camera(camera, "base", buffer, 3.0)


def test_of_a_message_the_good_transforms_count_and_the_others_are_told():
    buffer = TransformBuffer()
    bad = message(("base", "eye", 1.0, (*STILL[:6], 2.0)), ("base", "ear", 1.0, pose(x=1.0)))
    (problem,) = add_transforms(buffer, bad, static=True)
    assert "'eye'" in problem
    assert buffer.look_up("base", "ear", 5.0)[0, 3] == 1.0
