"""The node's threads have real-time priority where the system grants it, its policy never."""

import os
import threading

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from diagnostic_msgs.msg import DiagnosticArray

from vlm_robot_ros.nodes.priority import take_priority

FIFO = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK


def in_a_thread(work):
    """Return what `work` returns in a thread of its own."""
    got = []
    thread = threading.Thread(target=lambda: got.append(work()))
    thread.start()
    thread.join()
    return got[0]


def policies(pid):
    """Return how each thread of a process is scheduled."""
    return [os.sched_getscheduler(int(task)) for task in os.listdir(f"/proc/{pid}/task")]


GRANTED = not in_a_thread(lambda: take_priority(1))


def test_a_thread_of_priority_starts_ordinary_ones():
    def work():
        refused = take_priority(7)
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
        take_priority(7)
        return take_priority(0), os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK

    assert in_a_thread(work) == ("", os.SCHED_OTHER)


def test_what_is_refused_is_told():
    refused = in_a_thread(lambda: take_priority(1000))
    assert "real-time priority 1000 is not granted" in refused


@pytest.mark.parametrize("priority", [40, 0])
def test_the_node_takes_it_for_what_must_be_on_time(graph, priority):
    health = graph.listen(DiagnosticArray, "/diagnostics")
    process = graph.start("policy_node", policy="hold", thread_priority=priority)
    assert graph.until(lambda: health, 100.0), "the node did not come up"
    urgent = [policy for policy in policies(process.pid) if policy == FIFO]
    assert len(urgent) == (2 if priority and GRANTED else 0)
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(children) as file:
        born = file.read().split()
    assert born
    assert all(set(policies(int(pid))) == {os.SCHED_OTHER} for pid in born)
