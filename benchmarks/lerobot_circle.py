"""LeRobot's own server and asynchronous client with a policy that draws circles and takes long.

Runs in LeRobot's interpreter (0.6.1, with its extra `async`); `slow_policy_peers.py` starts it:

    PYTHON benchmarks/lerobot_circle.py server PORT LATENCY BEGUN
    PYTHON benchmarks/lerobot_circle.py client PORT SECONDS FILE

Server and client are LeRobot's classes with its defaults. Of the server only what loads and asks
the policy is replaced, of the client only the robot, which goes where it is told at once.
"""

import csv
import math
import sys
import threading
import time
from concurrent import futures

import grpc
import numpy as np
import torch
from lerobot.async_inference import robot_client
from lerobot.async_inference.configs import PolicyServerConfig, RobotClientConfig
from lerobot.async_inference.helpers import RemotePolicyConfig
from lerobot.async_inference.policy_server import PolicyServer
from lerobot.transport import services_pb2, services_pb2_grpc

JOINTS, STEPS, RATE, TURN_S = 7, 50, 10, 8.0
RADIUS, NOISE = math.degrees(0.15), math.degrees(0.008)
"""Of the circle, and of what a plan drifts from it [deg]."""


def plan(place: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return where the joints go from a place on the circle of the first and the last joint.

    Shape (STEPS, JOINTS), [deg].
    """
    begun = math.atan2(place[-1], place[0] + RADIUS)
    angles = begun + 2 * math.pi * np.arange(1, STEPS + 1) / RATE / TURN_S
    drift = np.cumsum(rng.normal(0, NOISE / math.sqrt(STEPS), (STEPS, 2)), 0)
    found = np.tile(place, (STEPS, 1))
    found[:, 0] = RADIUS * (np.cos(angles) - 1) + drift[:, 0]
    found[:, -1] = RADIUS * np.sin(angles) + drift[:, 1]
    return found


class CircleServer(PolicyServer):
    """LeRobot's server; the policy is `plan`, and sleeps."""

    def __init__(self, config: PolicyServerConfig, latency: float, begun: float) -> None:
        super().__init__(config)
        self._latency, self._begun, self._rng = latency, begun, np.random.default_rng(0)

    def SendPolicyInstructions(self, request, context):
        """Load nothing."""
        setup = robot_client.pickle.loads(request.data)
        assert isinstance(setup, RemotePolicyConfig)
        self.lerobot_features = setup.lerobot_features
        return services_pb2.Empty()

    def _predict_action_chunk(self, observation_t):
        self.last_processed_obs = observation_t
        said = observation_t.get_observation()
        place = [value for value in said.values() if isinstance(value, (int, float))][:JOINTS]
        time.sleep(self._latency)
        chunk = plan(np.array(place), self._rng)
        # The last value of each step tells what was seen when.
        seen = np.full((STEPS, 1), observation_t.get_timestamp() - self._begun)
        rows = torch.tensor(np.concatenate([chunk, seen], 1), dtype=torch.float32)
        return self._time_action_chunk(
            observation_t.get_timestamp(), list(rows), observation_t.get_timestep()
        )


class _Arm:
    """A robot of LeRobot's, as far as its client uses one."""

    def __init__(self) -> None:
        names = [f"joint_{number}.pos" for number in range(JOINTS)]
        self.observation_features = dict.fromkeys(names, float)
        self.action_features = dict.fromkeys([*names, "seen"], float)
        self.place, self.told = dict.fromkeys(names, 0.0), list[list[float]]()

    def connect(self) -> None:
        """Nothing to connect to."""

    disconnect = connect

    def get_observation(self) -> dict:
        """Return where the joints are [deg]."""
        return dict(self.place)

    def send_action(self, action: dict) -> dict:
        """Go there at once."""
        self.told.append([time.time(), *action.values()])
        self.place = {name: action[name] for name in self.place}
        return action


def serve(port: int, latency: float, begun: float) -> None:
    """Serve until the process ends."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    config = PolicyServerConfig(host="127.0.0.1", port=port, fps=RATE)
    services_pb2_grpc.add_AsyncInferenceServicer_to_server(
        CircleServer(config, latency, begun), server
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


def drive(port: int, seconds: float, out: str) -> None:
    """Let LeRobot's client drive for a time; write what the arm was told, one action a line."""
    arm = _Arm()
    robot_client.make_robot_from_config = lambda config: arm
    config = RobotClientConfig(
        policy_type="act", pretrained_name_or_path="circle", robot=None, actions_per_chunk=STEPS,
        server_address=f"127.0.0.1:{port}", fps=RATE, task="circle",
    )  # fmt: skip
    client = robot_client.RobotClient(config)
    assert client.start()
    threading.Thread(target=client.receive_actions, daemon=True).start()
    threading.Timer(seconds, client.shutdown_event.set).start()
    client.control_loop(task="circle")
    with open(out, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(arm.told)


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve(int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
    else:
        drive(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
