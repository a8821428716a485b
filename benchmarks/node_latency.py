"""From a camera's image to an action: the policy node, and a node as one writes it first.

    python benchmarks/node_latency.py [--seconds 20] [--encoder open_clip:ViT-B-32/random]
        [--device cuda]

A camera sends 640 x 480 rgb8, an arm its joints at 100 Hz. The first table is of a policy with a
large encoder of random weights. The naive node runs it in the image's callback, both towers.

The second table is what the node adds to the model, at so few images a second that none waits
for the one before: the shipped policy at several control rates, and the large encoder. For each
image, of the time from its stamp until its plan is sent (DDS's own stamp), the time that the
policy thought about it is taken away, by clocks in the policy, and the median way to a node that
answers at once and does nothing. What is left is the node's. The model is measured without a node,
too: alone, and next to camera, arm and the node that does nothing. The last columns are of 30
images a second; an action counts when the camera's process hears it, and jitter is how much later
or earlier than its period a command is sent.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import latency_peers as peers
import numpy as np
import rclpy
from encoder_rate import make
from latency_peers import CLOCKS, CONTRACT, ROBOT, SENT, TOPIC, Asked, answering, scene
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vlm_robot_ros.models.checkpoint import save_checkpoint
from vlm_robot_ros.msg import ActionChunk, VlmAction
from vlm_robot_ros.paths import shipped_checkpoint

WORDS = "put the red cube into the blue bowl"
OFTEN = 30.0
"""Images a second."""
RATES = (50.0, 100.0, 250.0)
"""Of control [Hz]."""


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="a row")
    parser.add_argument("--encoder", default="open_clip:ViT-B-32/random")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of all policies")
    parser.add_argument("--threads", type=int, nargs=2, default=(2, 1), help="naive's, ours")
    args = parser.parse_args()
    image, command = scene()
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    rclpy.init()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[CONTRACT] = str(Path(folder) / "contract.yaml")
        peers.write_contract(Path(os.environ[CONTRACT]))
        save_checkpoint(make(args.encoder, "cpu", "cross", 1), Path(folder), {})
        # Odd rates, lest images fall at one place between joint states or commands all the time.
        large = Asked(Path(folder), WORDS, args.device, 3.9)
        small = Asked(shipped_checkpoint(), command, args.device, 9.7)
        _compare(args.encoder, large, args.threads, image, args.seconds)
        _head_parts(args.device)
        bare = _measure_bare(small, image, args.seconds)
        for rate in RATES:
            parts = _measure_node(small, rate, image, args.seconds)
            _print_parts(f"shipped, {rate:.0f} Hz", bare, parts)
        bare = _measure_bare(large, image, args.seconds)
        parts = _measure_node(large, 50.0, image, args.seconds)
        _print_parts(f"{args.encoder}, 50 Hz", bare, parts)
    rclpy.shutdown()


def _compare(
    encoder: str, asked: Asked, threads: tuple[int, int], image: np.ndarray, seconds: float
) -> None:
    """Print what the policy node takes beside the naive node."""
    naive = [peers.__file__, "naive", str(asked.checkpoint), asked.device, str(threads[0])]
    ours = ["-p", f"device:={asked.device}", "-p", f"checkpoint:={asked.checkpoint}"]
    ways = {"naive": naive, "policy_node": _node(*ours, "-p", f"threads:={threads[1]}")}
    print(
        f"{encoder}, {asked.device}, {' and '.join(str(count) for count in threads)} threads, "
        f"{OFTEN:.0f} images a second: camera to action\n"
    )
    _head("node", "actions", "p50 ms", "p95 ms", "p99 ms", "p99, part of the naive node's")
    first = 0.0
    for way, command in ways.items():
        with World(command, image, WORDS) as world:
            taken = world.measure(seconds, OFTEN).latency
        p50, p95, p99 = 1e3 * np.percentile(taken, (50, 95, 99))
        first = first or p99
        _row(way, len(taken), f"{p50:.0f}", f"{p95:.0f}", f"{p99:.0f}", f"{p99 / first:.2f}")


class Bare(NamedTuple):
    """Without the policy node; arrays of seconds."""

    alone: np.ndarray
    """The model."""
    beside: np.ndarray
    """The same, beside camera, arm and a node that does nothing."""
    way: np.ndarray
    """An image's, to a node that answers at once, as its answer's stamp tells."""


class Parts(NamedTuple):
    """With it; arrays of seconds."""

    within: np.ndarray
    """The model."""
    planned: np.ndarray
    """From an image's stamp until its plan is sent, of the same images."""
    latency: np.ndarray
    """From an image's stamp to the first action that answers it, with images often."""
    jitter: np.ndarray
    """Of commands, likewise."""


def _measure_bare(asked: Asked, image: np.ndarray, seconds: float) -> Bare:
    with answering(asked) as alone:
        time.sleep(seconds)
    with World([peers.__file__, "echo"], image, WORDS) as world:
        way = world.measure(seconds, asked.images).planned
        with answering(asked) as beside:
            world.measure(seconds, asked.images)
    return Bare(np.array(alone), np.array(beside), np.array([*way.values()]))


def _measure_node(asked: Asked, rate: float, image: np.ndarray, seconds: float) -> Parts:
    with tempfile.TemporaryDirectory() as folder:
        clocks = Path(folder) / "clocks"
        os.environ[CLOCKS] = json.dumps([str(asked.checkpoint), asked.device, str(clocks)])
        command = _node("-p", "policy:=latency_peers:Clocked", "-p", f"control_rate:={rate}")
        with World(command, image, asked.words) as world:
            busy = world.measure(seconds, OFTEN)
            calm = world.measure(seconds, asked.images)
        lines = [[float(each) for each in line.split()] for line in clocks.open()]
    thought = {round(stamp, 6): ended - begun for stamp, begun, ended in lines}
    known = [stamp for stamp in calm.planned if stamp in thought]
    return Parts(
        np.array([thought[stamp] for stamp in known]),
        np.array([calm.planned[stamp] for stamp in known]),
        np.array(busy.latency),
        np.abs(np.diff(busy.ticks) - 1.0 / rate),
    )


def _head_parts(device: str) -> None:
    print(f"\nWhat the node adds to the model, {device}, one thread\n")
    _head(
        "policy, control rate",
        "plans",
        "model alone p50 ms",
        "beside camera and arm p50 ms",
        "within the node p50 ms",
        "way alone p50 ms",
        "camera to plan p50, p99 ms",
        "of it the node p25, p50, p75 ms",
        "of the model within",
        f"at {OFTEN:.0f} a second camera to action p50, p99 ms",
        "jitter p50, p99 ms",
    )


def _print_parts(name: str, bare: Bare, parts: Parts) -> None:
    node = parts.planned - parts.within - np.median(bare.way)
    _row(
        name,
        len(node),
        *(_percentiles(each, (50,)) for each in (bare.alone, bare.beside, parts.within, bare.way)),
        _percentiles(parts.planned, (50, 99)),
        _percentiles(node, (25, 50, 75)),
        f"{np.median(node / parts.within):.0%}",
        *(_percentiles(each, (50, 99)) for each in (parts.latency, parts.jitter)),
    )


def _percentiles(times: np.ndarray, which: tuple[int, ...]) -> str:
    return ", ".join(f"{1e3 * each:.1f}" for each in np.percentile(times, which))


def _head(*columns: str) -> None:
    _row(*columns)
    _row(*["---"] * len(columns))


def _row(*columns: object) -> None:
    print("| " + " | ".join(str(column) for column in columns) + " |", flush=True)


def _node(*settings: str) -> list[str]:
    code = "import sys; from vlm_robot_ros.nodes.policy_node import main; sys.exit(main())"
    return ["-c", code, "--ros-args", "-p", f"robot:={os.environ[CONTRACT]}", *settings]


class Measured(NamedTuple):
    """What came while somebody measured; times in seconds."""

    latency: list[float]
    """From an image's stamp to the first action that answers it."""
    planned: dict[float, float]
    """From an image's stamp until its plan is sent, by the stamp, to the microsecond."""
    ticks: list[float]
    """When actions were published."""


class World:
    """A camera and an arm at rest, and a watch: starts one node, and ends it."""

    def __init__(self, command: list[str], image: np.ndarray, words: str) -> None:
        """Start the node, and wait for its first actions."""
        self._answered: set[tuple[int, int]] = set()
        self._measured = Measured([], {}, [])
        self.node = node = rclpy.create_node("world")
        height, width, _ = image.shape
        self._image = Image(height=height, width=width, encoding="rgb8", step=3 * width)
        self._image.data = image.tobytes()
        self._images = node.create_publisher(Image, TOPIC, qos_profile_sensor_data)
        self._joints = node.create_publisher(JointState, "joint_states", SENT)
        instructions = node.create_publisher(String, "instruction", SENT)
        node.create_subscription(VlmAction, "action", self._on_action, 100)
        node.create_subscription(ActionChunk, "action_chunk", self._on_chunk, 100)
        self._camera = node.create_timer(1 / OFTEN, self._send_image)
        node.create_timer(1 / 100, self._send_joints)
        paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self._process = process = subprocess.Popen([sys.executable, *command], env=surroundings)
        heard = instructions.get_subscription_count
        self._spin(lambda: heard() > 0 or process.poll() is not None, 120.0)
        for _ in range(20):  # what is said before both ends know of each other is lost
            instructions.publish(String(data=words))
            self._spin(lambda: len(self._answered) > 10, 10.0)
            if self._answered or process.poll() is not None:
                break
        if not self._answered:
            self.__exit__()
            raise SystemExit(f"no action from {command}")

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.node.destroy_node()

    def measure(self, seconds: float, images: float) -> Measured:
        """Measure so long, with so many images a second; those before do not count."""
        self._camera.timer_period_ns = int(1e9 / images)
        self._camera.reset()
        self._spin(lambda: False, 1.0)  # what waits from before is done
        self._measured = measured = Measured([], {}, [])
        self._spin(lambda: False, seconds)
        self._measured = Measured([], {}, [])
        return measured

    def _spin(self, done: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            rclpy.spin_once(self.node, timeout_sec=0.05)

    def _now(self) -> float:
        return self.node.get_clock().now().nanoseconds * 1e-9

    def _send_image(self) -> None:
        self._image.header.stamp = self.node.get_clock().now().to_msg()
        self._images.publish(self._image)

    def _send_joints(self) -> None:
        message = JointState(name=[*ROBOT.joint_names, ROBOT.gripper.joint])
        message.header.stamp = self.node.get_clock().now().to_msg()
        message.position = [*ROBOT.home, ROBOT.gripper.open]
        self._joints.publish(message)

    def _on_action(self, message: VlmAction, info: dict[str, int]) -> None:
        self._measured.ticks.append(info["source_timestamp"] * 1e-9)
        stamp = message.header.stamp
        key = stamp.sec, stamp.nanosec
        if message.hold or key in self._answered:
            return
        self._answered.add(key)
        self._measured.latency.append(self._now() - stamp.sec - stamp.nanosec * 1e-9)

    def _on_chunk(self, message: ActionChunk, info: dict[str, int]) -> None:
        stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        self._measured.planned[round(stamp, 6)] = info["source_timestamp"] * 1e-9 - stamp


if __name__ == "__main__":
    main()
