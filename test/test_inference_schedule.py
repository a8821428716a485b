"""When a policy is asked: at every observation, or after some steps of its last chunk."""

from plans import plan

from vlm_robot_ros.inference.worker import InferenceSchedule


def asked_at(schedule, stamps, number=1, answers_after=0):
    """Return at which stamps the policy is asked; it answers after so many further ones."""
    asked, waiting = [], []
    for tick, stamp in enumerate(stamps):
        while waiting and waiting[0][0] <= tick:
            schedule.on_chunk(plan([0.6, 0, 0.3], steps=8), number, waiting.pop(0)[1])
        if schedule.is_due(stamp, number, True):
            schedule.on_request(number)
            asked.append(round(stamp, 3))
            waiting.append((tick + answers_after, stamp))
    return asked


TENTHS = [0.1 * tick for tick in range(20)]


def test_without_steps_it_is_asked_at_every_observation():
    assert len(asked_at(InferenceSchedule(0, 5), TENTHS, answers_after=3)) == len(TENTHS)


def test_with_steps_it_is_asked_again_when_these_are_over():
    assert asked_at(InferenceSchedule(5), TENTHS) == [0.0, 0.5, 1.0, 1.5]
    assert asked_at(InferenceSchedule(50), TENTHS) == [0.0, 0.8, 1.6]  # a chunk has eight


def test_the_policy_says_how_many_steps_where_nobody_else_does():
    assert asked_at(InferenceSchedule(-1, 5), TENTHS) == asked_at(InferenceSchedule(5), TENTHS)
    assert len(asked_at(InferenceSchedule(), TENTHS)) == len(TENTHS)


def test_while_it_thinks_it_is_asked_nothing_else():
    assert asked_at(InferenceSchedule(5), TENTHS, answers_after=7) == [0.0, 0.7, 1.4]


def test_a_new_instruction_no_chunk_and_a_clock_set_back_are_asked_about_at_once():
    schedule = InferenceSchedule(5)
    assert asked_at(schedule, [1.0, 1.1]) == [1.0]
    schedule.on_chunk(plan([0.6, 0, 0.3]), 1, 1.0)
    assert not schedule.is_due(1.2, 1, True)
    assert schedule.is_due(1.2, 2, True)
    schedule.on_request(2)
    schedule.on_chunk(plan([0.6, 0, 0.3]), 2, 1.2)
    assert not schedule.is_due(1.3, 2, True)
    assert schedule.is_due(1.3, 2, False)  # it was refused, or given up
    schedule.on_chunk(plan([0.6, 0, 0.3]), 2, 1.3)
    assert not schedule.is_due(1.4, 2, True)
    assert schedule.is_due(0.2, 2, True)
    schedule.reset()
    assert schedule.is_due(1.4, 2, True)


def test_an_answer_to_an_older_instruction_does_not_end_the_wait_for_the_newer():
    schedule = InferenceSchedule(5)
    schedule.on_request(1)
    schedule.on_request(2)
    schedule.on_chunk(plan([0.6, 0, 0.3]), 1, 1.0)
    assert not schedule.is_due(1.1, 2, True)
