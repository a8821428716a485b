"""Plans are played by the clock, and joined and blended without a jump."""

import numpy as np
import pytest
from plans import HOME, plan
from scipy.interpolate import PchipInterpolator

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.kinematics import downward_pose
from vlm_robot_ros.runtime.chunk_interpolator import ChunkInterpolator
from vlm_robot_ros.runtime.monotone_cubic import MonotoneCubic


def test_a_plan_is_played_by_the_clock():
    timeline = ChunkInterpolator(blend=0.0)
    timeline.set_chunk(plan([0.58, 0.0, 0.3]), stamp=10.0, now=10.0)
    for now, x in ((10.1, 0.51), (10.25, 0.525), (10.8, 0.58)):
        values, grip = timeline.sample(now)
        assert values[0] == pytest.approx(x)
        assert grip == 0.0
    assert timeline.sample(10.81) is None


def test_each_step_of_a_plan_has_its_own_gripper_opening():
    player, opening = ChunkInterpolator(0.0), np.r_[np.ones(4), np.zeros(4)]
    player.set_chunk(plan([0.6, 0, 0.3], gripper=opening), 10.0, 10.0)
    played = [player.sample(10.0 + 0.1 * step)[1] for step in range(8)]
    assert played == [1, 1, 1, 1, 1, 0, 0, 0]  # step k is reached after k + 1 steps
    assert player.sample(10.41)[1] == 0


def test_a_gripper_that_follows_the_state_does_the_first_step_at_once():
    player, opening = ChunkInterpolator(0.0), np.r_[np.ones(4), np.zeros(4)]
    chunk = plan([0.6, 0, 0.3], gripper=opening, gripper_at_once=True)
    player.set_chunk(chunk, 10.0, 10.0)
    assert {player.sample(10.0 + 0.1 * step)[1] for step in range(8)} == {1}


def test_a_late_plan_starts_where_the_clock_is():
    timeline = ChunkInterpolator(blend=0.04)
    timeline.set_chunk(plan([0.58, 0.0, 0.3]), stamp=10.0, now=10.4)
    assert timeline.sample(10.4)[0][0] == pytest.approx(0.54)


def test_plans_are_blended_without_a_jump():
    timeline = ChunkInterpolator(blend=0.1)
    timeline.set_chunk(plan([0.58, 0.0, 0.3]), stamp=0.0, now=0.0)
    before = timeline.sample(0.3)[0]
    timeline.set_chunk(plan([0.5, 0.2, 0.3]), stamp=0.2, now=0.3)
    np.testing.assert_allclose(timeline.sample(0.3)[0], before)
    times = np.linspace(0.3, 0.5, 101)
    path = np.array([timeline.sample(time)[0][:3] for time in times])
    assert np.max(np.linalg.norm(np.diff(path, axis=0), axis=1)) < 0.005
    after = ChunkInterpolator(blend=0.0)
    after.set_chunk(plan([0.5, 0.2, 0.3]), stamp=0.2, now=0.3)
    np.testing.assert_allclose(path[-1], after.sample(0.5)[0][:3])


@pytest.mark.parametrize("side", [1, -1])
def test_older_plans_have_their_say_and_a_flushed_one_has_none(side):
    timeline = ChunkInterpolator(blend=0.0, ensemble=0.5)
    timeline.set_chunk(plan([0.58, 0.0, 0.3]), stamp=0.0, now=0.0)
    newer = plan([0.5, 0.16, 0.3])
    newer.values[:, 3:] *= side  # the same orientation, either way
    timeline.set_chunk(newer, stamp=0.0, now=0.1)
    values, _ = timeline.sample(0.4)
    np.testing.assert_allclose(values[:2], [(0.5 + 0.5 * 0.54) / 1.5, 0.08 / 1.5], atol=1e-9)
    assert abs(values[3:] @ HOME[3:]) == pytest.approx(1.0)
    timeline.clear()
    timeline.set_chunk(newer, stamp=0.0, now=0.1)
    np.testing.assert_allclose(timeline.sample(0.4)[0][:2], [0.5, 0.08], atol=1e-9)


def as_meant(pose):
    """Return a pose with that one of its two quaternions which is nearer to HOME's."""
    return pose * np.repeat([1.0, np.sign(pose[3:] @ HOME[3:])], [3, 4])


@pytest.mark.parametrize("side", [1, -1])
def test_a_plan_joined_in_real_time_begins_as_the_one_before_goes_on(side):
    timeline, alone = ChunkInterpolator(blend=0.0, joined_steps=3), ChunkInterpolator(blend=0.0)
    timeline.set_chunk(plan([0.58, 0.0, 0.3]), stamp=0.0, now=0.0)
    before = {time: timeline.sample(time)[0] for time in (0.2, 0.3, 0.4)}
    newer = plan([0.5, 0.16, 0.3])
    newer.values[:] = [downward_pose(row[:3], 0.5) for row in newer.values]
    alone.set_chunk(newer, stamp=0.1, now=0.15)
    newer.values[:, 3:] *= side  # the same orientation, either way
    timeline.set_chunk(newer, stamp=0.1, now=0.15)
    # As before until the next step of the new plan; then 3/4 and 1/2 in the fifth equation.
    np.testing.assert_allclose(as_meant(timeline.sample(0.2)[0]), before[0.2], atol=1e-9)
    for time, left in ((0.3, 0.75), (0.4, 0.5)):
        weight = left * np.expm1(left) / np.expm1(1.0)
        wanted = weight * before[time] + (1 - weight) * alone.sample(time)[0]
        wanted[3:] /= np.linalg.norm(wanted[3:])
        np.testing.assert_allclose(as_meant(timeline.sample(time)[0]), wanted, atol=1e-9)
    np.testing.assert_allclose(timeline.sample(0.7)[0][:3], alone.sample(0.7)[0][:3], atol=1e-9)


def test_a_plan_joined_in_real_time_turns_by_half_a_turn_on_one_side():
    timeline = ChunkInterpolator(blend=0.0, joined_steps=6)
    timeline.set_chunk(plan([0.5, 0.0, 0.3]), stamp=0.0, now=0.0)
    newer = plan([0.5, 0.0, 0.3])
    yaws = np.pi + np.linspace(-0.1, 0.9, 8)  # first this side of half a turn, then that
    newer.values[:] = [
        downward_pose(row[:3], yaw) for row, yaw in zip(newer.values, yaws, strict=True)
    ]
    timeline.set_chunk(newer, stamp=0.1, now=0.15)
    turns = np.array([timeline.sample(time)[0][3:] for time in np.arange(0.15, 0.9, 1e-3)])
    cosines = np.clip(np.abs(np.sum(turns[1:] * turns[:-1], axis=1)), 0, 1)
    assert 2 * np.arccos(cosines).max() < 0.05


@pytest.mark.parametrize("mode", [ActionMode.JOINT_POSITION, ActionMode.END_EFFECTOR_POSE])
def test_a_plan_is_not_joined_to_one_of_another_kind_or_to_one_that_is_over(mode):
    timeline, alone = ChunkInterpolator(blend=0.1, joined_steps=3), ChunkInterpolator(blend=0.1)
    timeline.set_chunk(plan([0.58, 0.2, 0.3], mode=mode), stamp=0.0, now=0.0)
    late = 0.2 if mode == ActionMode.JOINT_POSITION else 0.9
    for each in (timeline, alone):
        each.set_chunk(plan([0.5, 0.16, 0.3]), stamp=late - 0.05, now=late)
    for time in (late, late + 0.05, late + 0.3):
        np.testing.assert_allclose(timeline.sample(time)[0], alone.sample(time)[0], atol=1e-9)


def test_a_plan_is_joined_to_a_shorter_one_no_longer_than_that_is():
    timeline, alone = ChunkInterpolator(blend=0.0, joined_steps=8), ChunkInterpolator(blend=0.0)
    timeline.set_chunk(plan([0.53, 0.1, 0.3], steps=3), stamp=0.0, now=0.0)
    for each in (timeline, alone):
        each.set_chunk(plan([0.5, 0.16, 0.3]), stamp=0.1, now=0.11)
    assert not np.allclose(timeline.sample(0.2)[0], alone.sample(0.2)[0], atol=1e-3)
    for time in (0.4, 0.5, 0.8):
        np.testing.assert_allclose(timeline.sample(time)[0], alone.sample(time)[0], atol=1e-9)


def test_steps_that_no_clock_can_tell_apart_are_refused():
    chunk = plan([0.58, 0, 0.3], step_dt=1e-9)
    with pytest.raises(ValueError, match="too little to be told by the clock"):
        ChunkInterpolator(blend=0.0).set_chunk(chunk, 1.7e9, 1.7e9)


@pytest.mark.parametrize("steps", [2, 3, 4, 9, 50])
def test_a_curve_is_scipys(steps):
    rng = np.random.default_rng(steps)
    places = rng.normal(size=(steps, 6)) * 10.0 ** rng.integers(-6, 3, 6)
    places[:, 3] = np.sort(places[:, 3])
    places[:, 4] = places[:, 4].round()  # has flats
    places[: steps // 2 + 1, 5] = 0.0
    start, step = 1.7e9, 0.1
    ours = MonotoneCubic(start, step, places)
    theirs = PchipInterpolator(step * np.arange(steps), places)
    assert ours.end == pytest.approx(start + step * (steps - 1), abs=1e-6)
    for when in [-0.5 * step, 0.0, *rng.uniform(0, step * (steps - 1), 40), step * (steps - 0.9)]:
        place, speed = ours.at(start + when)
        when = (start + when) - start  # as the clock can tell it
        np.testing.assert_allclose(place, theirs(when), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(speed, theirs(when, 1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("ensemble", "joined_steps"), [(0.0, 0), (0.8, 0), (1.0, 0), (0.0, 3)])
def test_neither_place_nor_speed_jumps_where_plans_change(ensemble, joined_steps):
    timeline = ChunkInterpolator(0.15, ensemble, joined_steps)
    timeline.set_chunk(plan([0.58, 0.0, 0.3]), stamp=0.0, now=0.0)
    times = np.arange(0.05, 0.7, 1e-3)
    path = []
    for number, time in enumerate(times):
        if number % 100 == 99:  # ten plans a second, each to somewhere else
            aside = 0.1 * (-1) ** (number // 100)
            timeline.set_chunk(plan([0.56, aside, 0.28]), stamp=time - 0.06, now=time)
        path.append(timeline.sample(time)[0][:3])
    while (sample := timeline.sample(time + 1e-3)) is not None:  # and no other plan comes
        time += 1e-3
        path.append(sample[0][:3])
    speeds = np.diff(path, axis=0) / 1e-3
    steps = np.linalg.norm(np.diff(speeds, axis=0), axis=1)
    assert np.linalg.norm(speeds, axis=1).max() > 0.1, "it does not move"
    assert steps.max() < 0.1 * np.linalg.norm(speeds, axis=1).max()


def test_a_plan_that_comes_early_is_under_way_from_its_first_moment():
    timeline = ChunkInterpolator(blend=0.0)
    timeline.set_chunk(plan([0.58, 0.0, 0.3]), stamp=10.0, now=10.0)
    places = [timeline.sample(10.0 + 0.02 * number)[0][0] for number in range(5)]
    np.testing.assert_allclose(np.diff(places), 0.002, atol=1e-9)


def test_blending_turns_the_short_way_round():
    timeline = ChunkInterpolator(blend=0.1)
    timeline.set_chunk(plan([0.58, 0.0, 0.3]), stamp=0.0, now=0.0)
    chunk = plan([0.58, 0.0, 0.3])
    chunk.values[:, 3:] *= -1  # the same orientation
    timeline.set_chunk(chunk, stamp=0.1, now=0.2)
    turn = timeline.sample(0.25)[0][3:]
    assert abs(turn @ HOME[3:]) == pytest.approx(1.0)


def test_an_older_plan_does_not_replace_a_newer():
    timeline = ChunkInterpolator(blend=0.04)
    timeline.set_chunk(plan([0.58, 0.0, 0.3]), stamp=1.0, now=1.0)
    timeline.set_chunk(plan([0.5, 0.3, 0.3]), stamp=0.5, now=1.0)
    assert timeline.sample(1.8)[0][0] == pytest.approx(0.58)


@pytest.mark.parametrize(
    "changes",
    [
        {"values": np.full((8, 7), np.nan)},
        {"values": np.zeros((8, 6))},
        {"values": np.zeros((8, 7))},  # no unit quaternion
        {"values": np.zeros((0, 7))},
        {"gripper": np.full(8, np.inf)},
        {"gripper": np.zeros(3)},
        {"step_dt": 0.0},
        {"step_dt": float("nan")},
        {"mode": ActionMode.JOINT_DELTA},
    ],
)
def test_a_bad_plan_is_refused(changes):
    with pytest.raises(ValueError, match=r"plan|chunk|step_dt"):
        ChunkInterpolator(blend=0.04).set_chunk(plan([0.6, 0, 0.3], **changes), 0.0, 0.0)


@pytest.mark.parametrize("field", ["values", "gripper"])
def test_plans_of_absurd_numbers_are_refused(field):
    wrong = {"values": np.full((8, 7), 1e300), "gripper": np.full(8, -1e300)}[field]
    chunk = plan([0.6, 0, 0.3], mode=ActionMode.JOINT_POSITION, **{field: wrong})
    with pytest.raises(ValueError, match=r"has a number of 1e\+300; at most 1000"):
        ChunkInterpolator(0.1).set_chunk(chunk, 1.0, 1.0)


def test_a_plan_whose_quaternions_flip_their_sign_turns_nowhere():
    chunk = plan([0.58, 0, 0.3])
    chunk.values[1::2, 3:] *= -1
    timeline = ChunkInterpolator(blend=0.0)
    timeline.set_chunk(chunk, 0.0, 0.0)
    for now in np.linspace(0, 0.8, 33):
        assert abs(timeline.sample(now)[0][3:] @ HOME[3:]) == pytest.approx(1.0)
