"""Chunks of policies that take long are played so that they last until the next one."""

import numpy as np
import pytest
from plans import HOME, plan

from vlm_robot_ros.runtime.chunk_interpolator import ChunkInterpolator, PlayClock

TICK = 0.02


def ask(took, rounds, steps=50):
    """Ask a policy that goes on from where the tool is, one answer after the other.

    Returns:
        When the first answer came, and places of the tool from then on. Shape (T,), [s], [m].
    """
    player, x, now = ChunkInterpolator(0.15, joined_steps=8), 0.5, 0.0
    times, places = [], []
    for _ in range(rounds):
        stamp, seen = now, x
        while now < stamp + took:
            now += TICK
            if (sample := player.sample(now)) is not None:
                x = float(sample[0][0])
            if times or sample is not None:
                times.append(now)
                places.append(x)
        values = np.tile(HOME, (steps, 1))
        values[:, 0] = seen + 0.001 * np.arange(1, steps + 1)
        player.set_chunk(plan(HOME[:3], steps, values=values), stamp, now + TICK)
    return np.array(times), np.array(places)


@pytest.mark.parametrize("took", [0.6, 2.0, 3.0, 4.5])
def test_arm_is_always_in_motion_and_neither_stops_nor_runs(took):
    _, places = ask(took, 20)
    speeds = np.diff(places) / TICK
    assert speeds.min() > 0.0015  # 0.01 m/s is planned
    assert speeds.max() < 0.012
    assert np.abs(np.diff(speeds)).max() < 0.002


def test_first_chunk_begins_where_the_arm_has_waited():
    player = ChunkInterpolator(0.15)
    player.set_chunk(plan([0.6, 0.0, 0.3]), 10.0, 13.0)
    assert player.sample(13.0)[0][0] == pytest.approx(0.5)
    assert player.sample(13.79)[0][0] < player.sample(16.0)[0][0]


def test_chunk_after_a_pause_begins_where_the_one_before_ended():
    player = ChunkInterpolator(0.15)
    player.set_chunk(plan([0.58, 0.0, 0.3]), 0.0, 0.1)  # it is over at 0.8 s
    assert player.sample(2.0) is None
    player.set_chunk(plan([0.6, 0.0, 0.3]), 0.4, 3.0)  # asked when half of it was played
    assert player.sample(3.0)[0][0] == pytest.approx(0.55, abs=0.01)


def test_quick_answers_are_played_by_the_clock_to_the_last_bit():
    slow, quick = ChunkInterpolator(0.15), ChunkInterpolator(0.15)
    clock = slow._clock
    assert [clock.at(now) for now in (0.1, 1e9 + 0.3)] == [0.1, 1e9 + 0.3]
    for player in (slow, quick):
        player.set_chunk(plan([0.58, 0.0, 0.3]), 1.0, 1.1)
        player.set_chunk(plan([0.6, 0.0, 0.3]), 1.1, 1.25)
    assert slow.sample(1.3)[0].tolist() == quick.sample(1.3)[0].tolist()


def test_clock_passes_evenly_and_never_back():
    clock, times = PlayClock(), np.arange(0, 20, TICK)
    clock.stretch(5.0, left=1.0, seconds=3.0)
    clock.stretch(8.0, left=9.0, seconds=3.0)
    played = np.array([clock.at(now) for now in times])
    steps = np.diff(played) / TICK
    assert played[times < 5.0] == pytest.approx(times[times < 5.0])
    assert clock.at(8.0) - clock.at(5.0) == pytest.approx(1.0, abs=1e-9)
    assert steps.min() > 0.1
    assert steps.max() < 1.0 + 1e-6
    assert steps[-1] == pytest.approx(1.0)


def test_second_answer_counts_even_if_it_was_asked_before_the_first_came():
    player = ChunkInterpolator(0.15, joined_steps=8)
    for number in range(6):  # a question waits while the one before is answered
        stamp, now = 2.0 * number, 2.0 * number + 2.3
        assert player.set_chunk(plan([0.6, 0.0, 0.3], 50), stamp, now)
    assert not player.is_older(stamp + 1e-3)
    assert player.is_older(stamp - 1e-3)


def test_quick_answer_after_a_slow_one_does_not_lurch():
    player = ChunkInterpolator(0.15, joined_steps=8)
    player.set_chunk(plan([0.5, 0.0, 0.3], 50), 0.0, 0.1)
    player.set_chunk(plan([0.6, 0.0, 0.3], 50), 0.2, 2.2)
    times = np.arange(2.2, 4.0, TICK)
    places = []
    for now in times:
        if abs(now - 2.4) < TICK / 2:
            here = places[-1]
            player.set_chunk(plan([here, 0.0, 0.3], 50), 2.35, 2.4)
        places.append(float(player.sample(now)[0][0]))
    assert np.abs(np.diff(places)).max() / TICK < 0.12


def test_slow_answer_to_what_was_seen_before_the_plan_was_flushed_is_dropped():
    player = ChunkInterpolator(0.15)
    player.set_chunk(plan([0.6, 0.0, 0.3]), 10.0, 10.1)
    player.clear(10.4)
    assert not player.set_chunk(plan([0.6, 0.0, 0.3], 50), 10.2, 12.0)
    assert player.set_chunk(plan([0.6, 0.0, 0.3], 50), 10.5, 12.0)


@pytest.mark.parametrize("took", [0.0, 0.01, 0.025, 0.3])
def test_quick_answers_bring_the_rate_back_to_the_clocks(took):
    player = ChunkInterpolator(0.15)
    player.set_chunk(plan([0.6, 0.0, 0.3], 50), 0.0, 3.0)
    for stamp in np.arange(3.1, 6.0, 0.1):
        player.set_chunk(plan([0.6, 0.0, 0.3], 50), stamp, stamp + took)
    clock = player._clock
    assert clock.at(7.0) - clock.at(6.5) == pytest.approx(0.5)
