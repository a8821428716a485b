"""From a camera's picture to an action: the policy node, and a node as one writes it first.

    python benchmarks/node_latency.py [--seconds 20] [--encoder open_clip:ViT-B-32/random]
        [--device cuda]

A camera sends 640 x 480 rgb8 at 30 Hz, an arm its joints at 100 Hz, stamped by the wall clock.
The first table is of a policy with a large encoder, whose weights are random: they do not change
the time. The naive node runs it in the image's callback, both towers for every frame, prepared
with PIL. The second is of the shipped policy at several control rates. What the node adds is what
is left of the time from a picture to its plan without the model's, in a process without a node
where it is asked as often, and without the way there, as a node takes that answers at
once and does nothing. The model is measured alone, and while camera and arm send to such a node:
their processes take time from it on few cores, whatever the node does. Plans count when they are
sent, by DDS's own stamp, for what the camera's process takes to hear of them is its own. Jitter is
how much later or earlier than its period a command is sent.
"""

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rclpy
import torch
from encoder_rate import make
from PIL import Image as Picture
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vlm_robot_ros.contract.kinematics import Kinematics, to_vector
from vlm_robot_ros.contract.load import load_robot
from vlm_robot_ros.models.checkpoint import save_checkpoint
from vlm_robot_ros.msg import ActionChunk, VlmAction
from vlm_robot_ros.paths import shipped_checkpoint
from vlm_robot_ros.policy.base import Observation
from vlm_robot_ros.policy.load import load_learned
from vlm_robot_ros.sim.programme import demo_programme
from vlm_robot_ros.sim.simulator import Simulator

ROBOT = load_robot("panda_sim")
TOPIC = ROBOT.cameras[0].topic
WORDS = "put the red cube into the blue bowl"
SENT = 10
PICTURES = 30.0
"""A second."""


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="a row")
    parser.add_argument("--encoder", default="open_clip:ViT-B-32/random")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of all policies")
    parser.add_argument("--threads", type=int, nargs=2, default=(2, 1), help="naive's, ours")
    parser.add_argument("--naive", type=Path, help="be the naive node, with this checkpoint")
    parser.add_argument("--echo", action="store_true", help="be the node that does nothing")
    parser.add_argument("--model", nargs=4, help="be the model without a node: what `Asked` has")
    args = parser.parse_args()
    if args.echo:
        _be_echo()
        return
    if args.model:
        _be_model(*args.model)
        return
    if args.naive:
        _be_naive(args.naive, args.device, args.threads[0])
        return
    picture, command_of_it = _scene()
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    rclpy.init()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = make(args.encoder, "cpu", "cross", 1)
        save_checkpoint(model, folder, {})
        threads = [str(count) for count in args.threads]
        large = Asked(folder, WORDS, args.device)
        ways = {
            "naive": [
                __file__, "--naive", name, "--device", args.device, "--threads", *threads,
            ],
            "policy_node": [*_node(large), "-p", f"threads:={threads[1]}"],
        }  # fmt: skip
        print(
            f"{args.encoder}, {args.device}, {' and '.join(threads)} threads: camera to action\n"
        )
        print("| node | actions | p50 ms | p95 ms | p99 ms | p99, part of the naive node's |")
        print("| --- | --- | --- | --- | --- | --- |")
        first = 0.0
        for way, command in ways.items():
            world = World(command, picture, WORDS, args.seconds)
            p50, p95, p99 = 1e3 * np.percentile(world.latency, (50, 95, 99))
            first = first or p99
            count = len(world.latency)
            print(f"| {way} | {count} | {p50:.0f} | {p95:.0f} | {p99:.0f} | {p99 / first:.2f} |")
        print(
            "\nThe shipped policy, and the large encoder's at 5 pictures a second, so none waits; "
            f"{args.device}, one thread; of the node's part first what is left without the model "
            "alone, then without the model beside camera and arm\n"
        )
        print(
            "| policy, control rate | model alone p50 ms | beside camera and arm p50 ms "
            "| way alone p50 ms | camera to plan p50, p99 ms | of it the node p50 ms "
            "| camera to action p50, p99 ms | jitter p50, p99 ms |"
        )
        print("|" + " --- |" * 8)
        small = Asked(shipped_checkpoint(), command_of_it, args.device)
        for rate in (50.0, 100.0, 250.0):
            _print_parts(f"shipped, {rate:.0f} Hz", small, rate, picture, args.seconds)
        seldom = large._replace(pictures=5.0)
        _print_parts(f"{args.encoder}, 50 Hz", seldom, 50.0, picture, args.seconds)
    rclpy.shutdown()


class Asked(NamedTuple):
    """A policy, and what it is asked."""

    checkpoint: Path
    words: str
    device: str
    pictures: float = PICTURES
    """A second."""


def _print_parts(
    name: str, asked: Asked, rate: float, picture: np.ndarray, seconds: float
) -> None:
    """Measure what the time from a picture to its plan is made of; print a row."""
    echo = [__file__, "--echo"]
    with _answering(asked) as alone:
        time.sleep(0.5 * seconds)
    way = World(echo, picture, WORDS, 0.3 * seconds, asked.pictures).planned
    with _answering(asked) as beside:
        World(echo, picture, WORDS, 0.5 * seconds, asked.pictures)
    command = [*_node(asked), "-p", f"control_rate:={rate}"]
    world = World(command, picture, asked.words, seconds, asked.pictures)
    jitter = np.abs(np.diff(world.ticks) - 1.0 / rate)
    columns = (world.planned, world.latency, jitter)
    pairs = ["{:.1f}, {:.1f}".format(*(1e3 * np.percentile(c, (50, 99)))) for c in columns]
    quiet, busy, there = (np.median(each) for each in (alone, beside, way))
    node = [1e3 * (np.median(world.planned) - there - model) for model in (quiet, busy)]
    pairs.insert(1, "{:.1f}, {:.1f}".format(*node))
    times = " | ".join(f"{1e3 * time:.1f}" for time in (quiet, busy, there))
    print(f"| {name} | {times} | {' | '.join(pairs)} |", flush=True)


def _scene() -> tuple[np.ndarray, str]:
    """Return a picture of 640 x 480, and a command that can be obeyed in it."""
    sim, item = Simulator(ROBOT), demo_programme(1)[0]
    sim.reset(item.scene)
    picture = Picture.fromarray(sim.render(ROBOT.cameras[0].name))
    return np.array(picture.resize((640, 480))), item.instruction


@contextmanager
def _answering(asked: Asked) -> Iterator[list[float]]:
    """Let a policy answer, once for every picture, in a process of its own.

    Yields a list which, after the end, has how long each answer took [s].
    """
    command = [sys.executable, __file__, "--model", *(str(each) for each in asked)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # it is ready
    took: list[float] = []
    yield took
    took += json.loads(process.communicate()[0])


def _be_model(checkpoint: str, words: str, device: str, pictures: str) -> None:
    """Answer until nobody wants to hear any more; print how long it took."""
    picture, _ = _scene()
    torch.set_num_threads(1)
    policy, home = load_learned(Path(checkpoint), ROBOT, device), np.array(ROBOT.home)
    period = 1 / float(pictures)
    pose = to_vector(Kinematics(ROBOT).forward(home))
    seen = Observation({ROBOT.cameras[0].name: picture}, pose, 1.0, words, home)
    for _ in range(10):
        policy.infer(seen)
    print("ready", flush=True)
    took: list[float] = []
    while not select.select([sys.stdin], [], [], max(0.0, period - sum(took[-1:])))[0]:
        begun = time.perf_counter()
        policy.infer(seen)
        took.append(time.perf_counter() - begun)
    print(json.dumps(took))


def _node(asked: Asked) -> list[str]:
    code = "import sys; from vlm_robot_ros.nodes.policy_node import main; sys.exit(main())"
    settings = {"device": asked.device, "checkpoint": asked.checkpoint}
    given = [part for name, value in settings.items() for part in ("-p", f"{name}:={value}")]
    return ["-c", code, "--ros-args", *given]


class World:
    """A camera and an arm at rest, and a watch: measures one node, and ends it."""

    def __init__(
        self,
        command: list[str],
        picture: np.ndarray,
        words: str,
        seconds: float,
        pictures: float = PICTURES,
    ) -> None:
        """Start the node and measure for some time, after the first actions."""
        self.latency: list[float] = []
        """From a picture's stamp to the first action that answers it [s]."""
        self.planned: list[float] = []
        """From a picture's stamp until its plan is sent [s]."""
        self.ticks: list[float] = []
        """When actions were published [s]."""
        self._answered: set[tuple[int, int]] = set()
        self._measuring = False
        self.node = node = rclpy.create_node("world")
        height, width, _ = picture.shape
        self._image = Image(height=height, width=width, encoding="rgb8", step=3 * width)
        self._image.data = picture.tobytes()
        self._images = node.create_publisher(Image, TOPIC, qos_profile_sensor_data)
        self._joints = node.create_publisher(JointState, "joint_states", SENT)
        instructions = node.create_publisher(String, "instruction", SENT)
        node.create_subscription(VlmAction, "action", self._on_action, 100)
        node.create_subscription(ActionChunk, "action_chunk", self._on_chunk, 100)
        node.create_timer(1 / pictures, self._send_image)
        node.create_timer(1 / 100, self._send_joints)
        process = subprocess.Popen([sys.executable, *command])
        try:
            heard = instructions.get_subscription_count
            self._spin(lambda: heard() > 0 or process.poll() is not None, 120.0)
            for _ in range(20):  # what is said before both ends know of each other is lost
                instructions.publish(String(data=words))
                self._spin(lambda: len(self._answered) > 10, 10.0)
                if self._answered or process.poll() is not None:
                    break
            if not self._answered:
                raise SystemExit(f"no action from {command}")
            self._measuring = True
            self._spin(lambda: False, seconds)
        finally:
            process.terminate()
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:  # `rclpy.spin` does not always hear of it
                process.kill()
                process.wait()
            node.destroy_node()

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
        sent = info["source_timestamp"] * 1e-9
        if self._measuring:
            self.ticks.append(sent)
        stamp = message.header.stamp
        key = stamp.sec, stamp.nanosec
        if message.hold or key in self._answered:
            return
        self._answered.add(key)
        if self._measuring:
            self.latency.append(self._now() - stamp.sec - stamp.nanosec * 1e-9)

    def _on_chunk(self, message: ActionChunk, info: dict[str, int]) -> None:
        if self._measuring:
            sent, stamp = info["source_timestamp"] * 1e-9, message.header.stamp
            self.planned.append(sent - stamp.sec - stamp.nanosec * 1e-9)


def _be_naive(checkpoint: Path, device: str, threads: int) -> None:
    """Run the policy in the image's callback."""
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    from vlm_robot_ros.models.checkpoint import load_any

    torch.set_num_threads(threads)
    model = load_any(checkpoint).to(device)
    config = PreprocessCfg(**open_clip.get_model_preprocess_cfg(model.encoder.model))
    prepare = image_transform_v2(config, is_train=False)
    rclpy.init()
    node: Node = rclpy.create_node("naive")
    actions = node.create_publisher(VlmAction, "action", SENT)
    said = [""]

    @torch.inference_mode()
    def on_image(message: Image) -> None:
        if not said[0]:
            return
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        image = prepare(Picture.fromarray(pixels))[None, None].to(device)
        planned = model(image, model.read([said[0]]), torch.zeros(1, 1, device=device))
        action = VlmAction(names=[""] * 7)
        action.header = message.header
        action.values = planned.actions[0, 0, :7].double().cpu().numpy()
        if rclpy.ok():
            actions.publish(action)

    queue = QoSProfile(depth=SENT, reliability=qos_profile_sensor_data.reliability)
    node.create_subscription(Image, TOPIC, on_image, queue)
    node.create_subscription(String, "instruction", lambda m: said.__setitem__(0, m.data), SENT)
    with suppress(ExternalShutdownException):
        rclpy.spin(node)


def _be_echo() -> None:
    """Answer every picture at once."""
    rclpy.init()
    node: Node = rclpy.create_node("echo")
    actions = node.create_publisher(VlmAction, "action", SENT)
    chunks = node.create_publisher(ActionChunk, "action_chunk", SENT)

    def on_image(message: Image) -> None:
        chunks.publish(ActionChunk(header=message.header))
        actions.publish(VlmAction(header=message.header, names=[""] * 7))

    newest = QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability)
    node.create_subscription(Image, TOPIC, on_image, newest)
    node.create_subscription(String, "instruction", lambda message: None, SENT)
    with suppress(ExternalShutdownException):
        rclpy.spin(node)


if __name__ == "__main__":
    main()
