"""Policies that answer changes of positions: they are added up from what was observed."""

from dataclasses import replace

import numpy as np
import pytest
from observations import FRONT, JOINTS, POSE, SEEN
from plans import plan
from scipy.spatial.transform import Rotation

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.observation import ArmObservation
from vlm_robot_ros.interfaces.policy import HoldPolicy
from vlm_robot_ros.policies.image_monitor import ImageGuard


class _Says(HoldPolicy):
    def __init__(self, chunk):
        self.chunk = chunk

    def infer(self, observation):
        return self.chunk


def _answer(mode, values, seen=SEEN):
    return ImageGuard(_Says(plan([0.5, 0, 0.3], len(values), mode, values=values))).infer(seen)


def test_changes_of_joints_are_added_up():
    deltas = np.random.default_rng(0).normal(0, 0.01, (8, 7))
    chunk = _answer(ActionMode.JOINT_DELTA, deltas)
    assert chunk.mode == ActionMode.JOINT_POSITION
    np.testing.assert_allclose(chunk.values[0], JOINTS + deltas[0])
    np.testing.assert_allclose(chunk.values[-1], JOINTS + deltas.sum(0))


def test_changes_of_the_pose_are_added_up_in_the_base_frame():
    moves = np.tile([0.01, 0.0, -0.02], (4, 1))
    quarter = Rotation.from_rotvec([0, 0, np.pi / 8])
    deltas = np.concatenate([moves, np.tile(quarter.as_quat() * 1.02, (4, 1))], 1)
    chunk = _answer(ActionMode.END_EFFECTOR_DELTA, deltas)
    assert chunk.mode == ActionMode.END_EFFECTOR_POSE
    np.testing.assert_allclose(chunk.values[-1, :3], POSE[:3] + np.array([0.04, 0, -0.08]))
    turned = Rotation.from_rotvec([0, 0, np.pi / 2]) * Rotation.from_quat(POSE[3:])
    assert abs(chunk.values[-1, 3:] @ turned.as_quat()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("mode", "values", "seen", "said"),
    [
        (ActionMode.JOINT_DELTA, np.zeros((4, 6)), SEEN, r"\(H, 7\), got \(4, 6\)"),
        (ActionMode.JOINT_DELTA, np.zeros((4, 7)), replace(SEEN, joints=None), "not known"),
        (ActionMode.END_EFFECTOR_DELTA, np.zeros((4, 6)), SEEN, r"\(H, 7\), got \(4, 6\)"),
        (ActionMode.END_EFFECTOR_DELTA, np.zeros((4, 7)), SEEN, "zero norm"),
    ],
)
def test_changes_that_say_nothing_are_refused(mode, values, seen, said):
    with pytest.raises(ValueError, match=said):
        _answer(mode, values, seen)


def test_changes_of_other_arms_are_added_up_too():
    seen = replace(SEEN, others={"right": ArmObservation(POSE, 1.0, JOINTS + 0.1)})
    other = plan([0, 0, 0], 4, ActionMode.JOINT_DELTA, values=np.full((4, 7), 0.01))
    first = plan([0.5, 0, 0.3], others={"right": other})
    chunk = ImageGuard(_Says(first)).infer(seen)
    assert chunk.mode == ActionMode.END_EFFECTOR_POSE
    assert chunk.others["right"].mode == ActionMode.JOINT_POSITION
    np.testing.assert_allclose(chunk.others["right"].values[-1], JOINTS + 0.14)


def test_an_image_is_frozen_where_the_arm_of_its_camera_moves():
    moved, others = POSE + np.array([0.1, 0, 0, 0, 0, 0, 0]), {}
    guard = ImageGuard(_Says(plan([0.5, 0, 0.3])))
    for left, right, frozen in ((POSE, POSE, ""), (moved, POSE, ""), (moved, moved, "right")):
        others = {"right": ArmObservation(right, 1.0, JOINTS)}
        seen = replace(SEEN, images={"right_wrist": FRONT}, pose=left, others=others)
        assert guard.infer(seen).hold.startswith(frozen)
