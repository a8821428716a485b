"""Threads of the node have real-time priority where the system grants it; no policy thinks so."""

import os
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from diagnostic_msgs.msg import DiagnosticArray
from odd_policies import Scheduled
from std_srvs.srv import Trigger

from vlm_robot_ros.inference.subprocess_policy import SubprocessPolicy
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.realtime import set_thread_priority

FIFO = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK


def in_a_thread(work):
    """Return what `work` returns in a thread of its own."""
    got = []
    thread = threading.Thread(target=lambda: got.append(work()))
    thread.start()
    thread.join()
    return got[0]


def urgent_threads(pid):
    """Return the names of a process's threads that have priority, and which of them receive."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    urgent = [
        (task / "comm").read_text()
        for task in tasks
        if os.sched_getscheduler(int(task.name)) == FIFO
    ]
    return urgent, [name for name in urgent if re.match(r"dds\.(shm|udp)\.\d", name)]


GRANTED = not in_a_thread(lambda: set_thread_priority(1))


def test_a_thread_of_priority_starts_ordinary_ones():
    def work():
        refused = set_thread_priority(7)
        mine = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
        return refused, mine, in_a_thread(lambda: os.sched_getscheduler(0))

    refused, mine, of_child = in_a_thread(work)
    assert of_child == os.SCHED_OTHER
    if GRANTED:
        assert (refused, mine) == ("", (FIFO, 7))
    else:
        assert "real-time priority 7 is not granted" in refused
        assert mine == (os.SCHED_OTHER, 0)


def test_it_is_given_back():
    def work():
        set_thread_priority(7)
        return set_thread_priority(0), os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK

    assert in_a_thread(work) == ("", os.SCHED_OTHER)


def test_what_is_refused_is_told():
    refused = in_a_thread(lambda: set_thread_priority(1000))
    assert "real-time priority 1000 is not granted" in refused


@pytest.mark.long
@pytest.mark.parametrize("priority", [40, 0])
def test_the_node_takes_it_for_what_must_be_on_time(graph, priority):
    health = graph.listen(DiagnosticArray, "/diagnostics")
    process = graph.start("policy_node", policy="hold", thread_priority=priority)
    graph.until_up(lambda: health)
    urgent, receivers = urgent_threads(process.pid)
    if priority and GRANTED:
        assert len(receivers) >= 3  # one for each port that others send to
        assert len(urgent) == len(receivers) + 2
    else:
        assert not urgent
    born = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    waiting = [len(urgent_threads(child)[0]) for child in born]
    assert sum(waiting) == (1 if priority and GRANTED else 0)  # the policy's, for a question


@pytest.mark.skipif(not GRANTED, reason="no real-time priority is granted here")
def test_the_simulated_controllers_hear_at_once(graph):
    process = graph.start("arm_sim_node")
    assert graph.call(Trigger, "/arm_sim_node/step") is not None
    urgent, receivers = urgent_threads(process.pid)
    assert urgent == receivers
    assert len(receivers) >= 3


@pytest.mark.skipif(not GRANTED, reason="no real-time priority is granted here")
@pytest.mark.parametrize("priority", [7, 0])
def test_a_policy_waits_with_priority_and_thinks_without(priority):
    def waiting():
        return os.sched_getscheduler(policy.pid)

    policy = SubprocessPolicy(Scheduled, priority=priority)
    expected = os.SCHED_RESET_ON_FORK | (os.SCHED_FIFO if priority else os.SCHED_OTHER)
    for _ in range(3):
        limit = time.monotonic() + 10.0
        while waiting() != expected and time.monotonic() < limit:
            time.sleep(0)
        assert waiting() == expected
        seen = Observation({}, np.zeros(7), 0.5, "", np.zeros(7))
        assert int(policy.infer(seen).hold) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER
    policy.close()
