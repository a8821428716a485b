"""A policy in a process of its own answers as it does here, and may die or hang there."""

import multiprocessing.connection
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from odd_policies import Mirror, OnWord

from vlm_robot_ros.inference.subprocess_policy import PolicyError, SubprocessPolicy
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.robot.loader import load_robot


def observation(words="aside", size=(4, 6)):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    return Observation({"front": image}, np.arange(7.0), 0.5, words, np.arange(7.0))


@pytest.fixture
def odd():
    policy = SubprocessPolicy(partial(OnWord, load_robot("panda_sim")), patience=2.0)
    yield policy
    policy.close()


def test_it_answers_as_it_does_here():
    policy = SubprocessPolicy(Mirror)
    # Larger ones than before, smaller ones, and a view of one.
    for size in ((4, 6), (480, 640), (1080, 1920), (8, 8)):
        seen = observation("look", size)
        chunk = policy.infer(seen)
        np.testing.assert_array_equal(chunk.values, seen.pose[None])
        np.testing.assert_array_equal(policy.draw(), seen.images["front"])
        assert chunk.hold == "look"
    turned = Observation({"front": seen.images["front"][:, ::-1]}, *list(vars(seen).values())[1:])
    policy.infer(turned)
    np.testing.assert_array_equal(policy.draw(), turned.images["front"])
    np.testing.assert_array_equal(policy.points["target"], [0.1, 0.2, 0.3])
    assert policy.cameras == ()
    policy.close()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("raise", "RuntimeError('out of order')"),
        ("die", "ended by signal SIGKILL, and was begun again"),
        ("exit", "ended with status 1, and was begun again"),
        ("hang for good", "not answered for 2 s, and was begun again"),
        ("fork and die", "ended by signal SIGKILL, and was begun again"),
    ],
)
def test_what_goes_wrong_is_told_and_the_next_question_answered(odd, word, said):
    before = odd.pid
    with pytest.raises(PolicyError) as error:
        odd.infer(observation(word))
    assert said in repr(error.value)
    assert (odd.pid == before) == (word == "raise")
    assert odd.infer(observation()).confidence == 1.0


def hanging(policy):
    """Ask in a thread what makes a policy hang; returns the thread and the errors it gets."""
    problems = []

    def ask():
        try:
            policy.infer(observation("hang for good"))
        except PolicyError as error:
            problems.append(repr(error))

    waiting = threading.Thread(target=ask)
    waiting.start()
    while not policy._asking.locked():
        time.sleep(0.01)
    return waiting, problems


def test_who_asks_while_it_hangs_for_another_gets_an_answer_of_their_own(odd):
    waiting, problems = hanging(odd)
    begun = odd.begun
    chunks = [odd.infer(observation()) for _ in range(3)]
    waiting.join(10.0)
    assert all(chunk.confidence == 1.0 and chunk.values.shape == (8, 7) for chunk in chunks)
    assert "not answered for 2 s" in problems[0]
    assert odd.begun == begun + 1


def test_a_policy_may_have_processes_of_its_own(odd):
    assert odd.infer(observation("start a process")).confidence == 1.0


def test_who_waits_while_it_is_closed_gets_an_error_and_no_new_process(odd):
    waiting, problems = hanging(odd)
    odd.close()
    waiting.join(10.0)
    assert problems == ["its process was ended"]
    assert not exists(odd.pid)


def test_what_cannot_be_made_says_why():
    with pytest.raises(ValueError, match="missing 1 required positional argument"):
        SubprocessPolicy(OnWord)
    with pytest.raises(ValueError, match="ended while it was loaded, with status 3"):
        SubprocessPolicy(partial(os._exit, 3))


def test_what_hangs_ends_itself_when_its_node_is_killed():
    code = (
        "from functools import partial; from test_policy_apart import *;"
        "policy = SubprocessPolicy(partial(OnWord, load_robot('panda_sim')), patience=1.0);"
        "print(policy.pid, flush=True); policy._patience = 99.0;"
        "policy.infer(observation('hang for good'))"
    )
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    pid = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 30.0
    while exists(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not exists(pid)


def test_who_is_not_asked_for_long_stays():
    policy = SubprocessPolicy(Mirror, patience=0.3)
    ended = multiprocessing.connection.wait([policy._process.sentinel], 10 * 0.3)
    assert not ended
    assert policy.infer(observation("look")).hold == "look"
    assert policy.begun == 1
    policy.close()


def exists(pid):
    """Tell whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_who_is_begun_anew_leaves_no_files_open(odd):
    def die():
        with pytest.raises(PolicyError, match="begun again"):
            odd.infer(observation("die"))

    die()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        die()
    assert len(os.listdir("/proc/self/fd")) == before
