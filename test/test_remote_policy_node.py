"""The policy node with a policy of a server: late, gone, back, slow, and in the wrong unit."""

import asyncio

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from bench import SINKS, Bench, contract
from policy_servers import answering

from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.policies.remote.numpy_msgpack import pack
from vlm_robot_ros.robot.loader import load_robot

HOME = np.array(load_robot("panda_sim").home)
MAP = {
    "cameras": [{"key": "image", "camera": "front"}, {"key": "wrist", "camera": "wrist"}],
    "state": [{"key": "joints", "parts": [{"values": "joints"}]}],
    "actions": {"mode": "joint_position", "rate": 10.0, "gripper": {"column": 7}},
    "replan_steps": 10,
    "timeout": 8.0,
}
STEPS = 50


def swing(joints, scale=1.0):
    """Return five seconds of the first joint going to and fro, from where it is. Shape (50, 8)."""
    begun = np.arcsin(np.clip((joints[0] - HOME[0]) / 0.3, -1, 1))
    table = np.tile(np.r_[HOME, 1.0 / scale], (STEPS, 1))
    table[:, 0] += 0.3 * np.sin(begun + 0.5 * 0.1 * np.arange(1, STEPS + 1))
    return scale * table


class Stub:
    """A policy that thinks for `delay` seconds; what it is asked is kept."""

    def __init__(self):
        self.delay, self.scale, self.asked = 0.0, 1.0, []

    async def __call__(self, message):
        self.asked.append(message)
        await asyncio.sleep(self.delay)
        return pack({"actions": swing(message["joints"], self.scale)})


@pytest.fixture(scope="module")
def stub():
    return Stub()


@pytest.fixture(scope="module")
def bench(lasting_graph, tmp_path_factory, stub):
    folder = tmp_path_factory.mktemp("arm")
    (folder / "map.yaml").write_text(yaml.safe_dump(MAP))
    with answering(stub) as server:
        port = server.port
    made = Bench(
        lasting_graph, contract(folder, sinks=SINKS),
        policy=f"openpi://127.0.0.1:{port}", map=folder / "map.yaml",
    )  # fmt: skip
    made.port = port
    return made


def until_acting(bench):
    del bench.actions[:]
    acts = lambda: any(not action.hold for action in bench.actions)  # noqa: E731
    assert bench.graph.until(acts), f"never acted: {bench.actions[-1:]}"


@pytest.mark.long
def test_a_server_may_come_after_the_node_and_end_and_come_again(bench, stub):
    bench.say("swing")
    bench.until_held("no server at")
    assert bench.actions[-1].hold_code == VlmAction.HOLD_POLICY_UNAVAILABLE
    for _ in range(2):
        with answering(stub, port=bench.port):
            until_acting(bench)
            assert bench.graph.until(lambda: bench.states[-1].joint_speed > 0.05)
        bench.until_held("no server at")
        bench.until_still()
    assert stub.asked[-1]["prompt"] == "swing"
    assert stub.asked[-1]["image"].shape == (256, 256, 3)


@pytest.mark.parametrize(
    "delay", [pytest.param(each, marks=pytest.mark.long) for each in (0.1, 0.8, 3.0)]
)
def test_while_a_policy_thinks_its_last_chunk_goes_on(bench, stub, delay):
    stub.delay = delay
    with answering(stub, port=bench.port):
        bench.say(f"swing after {delay} s")
        until_acting(bench)
        del bench.actions[:], stub.asked[:]
        end = bench.states[-1].header.stamp.sec + 12
        assert bench.graph.until(lambda: bench.states[-1].header.stamp.sec >= end)
        acting = [not action.hold for action in bench.actions]
        assert np.mean(acting) >= 0.95
        assert 2 <= len(stub.asked) <= 14  # once a second, or as often as it answers
    stub.delay = 0.0
    bench.until_held("server")


def test_degrees_are_refused_before_anything_moves(bench, stub):
    stub.scale = np.rad2deg(1.0)
    with answering(stub, port=bench.port):
        bench.say("swing in degrees")
        bench.until_held("is it in degrees?")
        assert bench.actions[-1].hold_code == VlmAction.HOLD_INVALID_CHUNK
        bench.until_still()
        stub.scale = 1.0
        until_acting(bench)
    bench.until_held("server")
