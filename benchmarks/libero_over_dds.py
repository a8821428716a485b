"""Run episodes of LIBERO by the running policy node, over DDS; resumable.

Each task is a `libero_sim_node` and a `policy_node`, as a user starts them. An episode begins with
~/reset of the simulator, and ends when it says that the task is fulfilled or its time is over.
Pair the outcomes with those of `vlm-robot evaluate --env libero`, which has the same states.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger
from tqdm import tqdm

from vlm_robot_ros.evaluation.libero.results import LiberoOutcome, benchmark_table, read_outcomes
from vlm_robot_ros.interfaces.hold import HoldCode
from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds
from vlm_robot_ros.sim.libero.suites import contract_of
from vlm_robot_ros.srv import ResetScene

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_EPISODE_S = {"spatial": 11.0, "object": 14.0, "goal": 15.0}
"""How long an episode may take in simulated time, as in the published protocol [s]."""
_GRACE_S = 5.0
"""What an episode may take longer: the node plans while time goes on [s]."""


class Graph:
    """One task in a graph: its simulator, the policy node, and who judges."""

    def __init__(self, suite: str, task: int, checkpoint: str, python: str) -> None:
        self.node = rclpy.create_node("libero_judge")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.fulfilled, self.words, self.time = False, "", 0.0
        self.action: VlmAction | None = None
        for kind, topic, take, qos in (
            (Bool, "/libero_sim_node/fulfilled", self._on_fulfilled, _LATCHED),
            (String, "/libero_sim_node/instruction", self._on_words, _LATCHED),
            (Clock, "/clock", self._on_clock, 10),
            (VlmAction, "action", self._on_action, 10),
        ):
            self.node.create_subscription(kind, topic, take, qos)
        self.instruction = self.node.create_publisher(String, "instruction", 10)
        self.reset = self.node.create_client(ResetScene, "/libero_sim_node/reset")
        self.end_trip = self.node.create_client(Trigger, "/policy_node/reset")
        robot = contract_of(suite)
        self.processes = [
            _start("libero_sim_node", suite=suite, task=task, libero_python=python,
                   real_time_factor=0.5),
            _start("policy_node", robot=robot, policy="fusion", checkpoint=checkpoint,
                   use_sim_time=True),
        ]  # fmt: skip

    def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Handle what comes until `done()`; False after so many seconds."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end or any(p.poll() is not None for p in self.processes):
                return False
            self._executor.spin_once(timeout_sec=0.05)
        return True

    def call(self, client: rclpy.client.Client, request: object) -> None:
        """Call a service and wait for its answer."""
        future = client.call_async(request)
        if not self.wait(future.done, 60.0):
            raise TimeoutError(f"{client.srv_name} does not answer")

    def close(self) -> None:
        """End all of it."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(60)
        self.node.destroy_node()

    def _on_fulfilled(self, message: Bool) -> None:
        self.fulfilled = message.data

    def _on_words(self, message: String) -> None:
        self.words = message.data

    def _on_clock(self, message: Clock) -> None:
        self.time = stamp_to_seconds(message.clock)

    def _on_action(self, message: VlmAction) -> None:
        self.action = message


def run_episode(graph: Graph, suite: str, task: int, state: int) -> LiberoOutcome:
    """Run one episode; raises TimeoutError where the graph does not answer."""
    graph.instruction.publish(String(data=""))
    if not graph.wait(lambda: graph.action is not None and graph.action.hold, 60.0):
        raise TimeoutError("the policy node does not hold without words")
    graph.call(graph.reset, ResetScene.Request(seed=state))
    graph.fulfilled = False
    settled = graph.time + 1.0
    graph.wait(lambda: graph.time > settled, 60.0)
    if graph.action and graph.action.hold_code == HoldCode.TRIPPED:
        graph.call(graph.end_trip, Trigger.Request())
    begun = graph.time
    most = _EPISODE_S[suite.partition("_")[0]] + _GRACE_S
    graph.instruction.publish(String(data=graph.words))
    graph.wait(lambda: graph.fulfilled or graph.time > begun + most, 20 * most)
    hold = graph.action.hold_reason if graph.action and graph.action.hold else ""
    took = graph.time - begun
    return LiberoOutcome(
        suite, task, state, f"{suite} {task}", graph.words, graph.fulfilled, round(took / 0.05),
        "" if graph.fulfilled else hold, False,
    )  # fmt: skip


def _start(name: str, **parameters: object) -> subprocess.Popen:
    code = f"import sys; from vlm_robot_ros.nodes.{name} import main; sys.exit(main())"
    given = [
        part for key, value in parameters.items() if value != ""
        for part in ("-p", f"{key}:={value}")
    ]  # fmt: skip
    return subprocess.Popen([sys.executable, "-c", code, "--ros-args", *given])


def main() -> int:
    """Run what `--out` does not hold yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="goal")
    parser.add_argument("--tasks", default="1,2,4,5,6,8", help="with commas between")
    parser.add_argument("--states", type=int, default=5, help="episodes of each task")
    parser.add_argument("--checkpoint", default="libero")
    parser.add_argument("--libero-python", default="")
    parser.add_argument("--out", type=Path, default=Path("runs/libero_over_dds"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rclpy.init()
    for task in tqdm([int(part) for part in args.tasks.split(",")], "tasks"):
        done = read_outcomes(args.out)
        states = [state for state in range(args.states) if (args.suite, task, state) not in done]
        if not states:
            continue
        graph = Graph(args.suite, task, args.checkpoint, args.libero_python)
        try:
            up = lambda: bool(graph.words) and graph.action is not None  # noqa: B023, E731
            if not graph.wait(up, 120.0):
                raise TimeoutError("the nodes do not come up")
            for state in states:
                outcome = run_episode(graph, args.suite, task, state)
                with (args.out / "episodes-1-of-1.jsonl").open("a") as file:
                    file.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
        finally:
            graph.close()
    print(benchmark_table(read_outcomes(args.out).values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
