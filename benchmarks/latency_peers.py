"""What `node_latency.py` measures the policy node against, each in a process of its own.

    python benchmarks/latency_peers.py naive CHECKPOINT DEVICE THREADS
    python benchmarks/latency_peers.py echo
    python benchmarks/latency_peers.py model CHECKPOINT WORDS DEVICE IMAGES

A node as one writes it first, a node that does nothing, and a model without a node. `Clocked` is
a learned policy that tells for each image when it began to think and when it had an answer.
"""

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import NamedTuple

import numpy as np
import rclpy
import torch
import yaml
from PIL import Image as PilImage
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import String

from vlm_robot_ros.demo.script import demo_script
from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.msg import ActionChunk as ChunkMessage
from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.policies.factory import load_checkpoint_policy
from vlm_robot_ros.policies.image_monitor import ImageGuard
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.loader import contract_file, load_robot
from vlm_robot_ros.sim.simulator import Simulator

ROBOT = load_robot("panda_sim")
TOPIC = ROBOT.cameras[0].topic
SIZE = (640, 480)
"""Width and height of the camera's images [px]."""
SENT = 10
CLOCKS = "LATENCY_CLOCKS"
"""Names the environment's variable that `Clocked` reads: checkpoint, device, file for times."""


CONTRACT = "LATENCY_CONTRACT"
"""Name of the environment's variable with the contract's file."""


class Asked(NamedTuple):
    """A policy, and what it is asked."""

    checkpoint: Path
    words: str
    device: str
    images: float
    """A second."""


def write_contract(path: Path) -> None:
    """Write the contract of the simulated arm with a camera of `SIZE`."""
    content = yaml.safe_load(contract_file("panda_sim").read_text())
    content["cameras"][0] |= {"width": SIZE[0], "height": SIZE[1]}
    path.write_text(yaml.safe_dump(content))


def scene() -> tuple[np.ndarray, str]:
    """Return an image of `SIZE`, and a command that can be obeyed in it."""
    sim, item = Simulator(ROBOT), demo_script(1)[0]
    sim.reset(item.scene)
    image = PilImage.fromarray(sim.render(ROBOT.cameras[0].name))
    return np.array(image.resize(SIZE)), item.instruction


class Clocked(ImageGuard):
    """A learned policy that writes down when it began and ended, by the clock of messages.

    Learned policies watch their images themselves: this one is watched no more than they are.
    """

    def __init__(self, robot: RobotConfig) -> None:
        """Load what the environment names."""
        checkpoint, device, times = json.loads(os.environ[CLOCKS])
        super().__init__(load_checkpoint_policy(Path(checkpoint), robot, device))
        self._times = os.open(times, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def infer(self, observation: Observation) -> ActionChunk:
        """As of the policy."""
        begun = time.time()
        chunk = self.within.infer(observation)
        ended = time.time()
        os.write(self._times, f"{observation.time} {begun} {ended}\n".encode())  # 0.01 ms
        return chunk


@contextmanager
def answering(asked: Asked) -> Iterator[list[float]]:
    """Let a policy answer, once for every image, in a process of its own.

    Yields a list which, after the end, has how long each answer took [s].
    """
    command = [sys.executable, __file__, "model", *(str(each) for each in asked)]
    process = Popen(command, stdin=PIPE, stdout=PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # it is ready
    took: list[float] = []
    yield took
    took += json.loads(process.communicate()[0])


def be_model(checkpoint: str, words: str, device: str, images: str) -> None:
    """Answer until nobody wants to hear any more; print how long it took."""
    torch.set_num_threads(1)
    policy, home = load_checkpoint_policy(Path(checkpoint), ROBOT, device), np.array(ROBOT.home)
    image, _ = scene()  # first the policy: after Mesa's LLVM, Triton's cannot be imported
    period = 1 / float(images)
    pose = transform_to_pose7(Kinematics(ROBOT).forward(home))
    seen = Observation({ROBOT.cameras[0].name: image}, pose, 1.0, words, home)
    for _ in range(10):
        policy.infer(seen)
    print("ready", flush=True)
    took: list[float] = []
    while not select.select([sys.stdin], [], [], max(0.0, period - sum(took[-1:])))[0]:
        begun = time.perf_counter()
        policy.infer(seen)
        took.append(time.perf_counter() - begun)
    print(json.dumps(took))


def be_naive(checkpoint: str, device: str, threads: str) -> None:
    """Run the policy in the image's callback."""
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    from vlm_robot_ros.models.checkpoint import load_model

    torch.set_num_threads(int(threads))
    model = load_model(Path(checkpoint)).to(device)
    config = PreprocessCfg(**open_clip.get_model_preprocess_cfg(model.encoder.model))
    prepare = image_transform_v2(config, is_train=False)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # it ends when told to, at once
    node = rclpy.create_node("naive")
    actions = node.create_publisher(VlmAction, "action", SENT)
    said = [""]

    @torch.inference_mode()
    def on_image(message: Image) -> None:
        if not said[0]:
            return
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        image = prepare(PilImage.fromarray(pixels))[None, None].to(device)
        planned = model(image, model.encode_text([said[0]]), torch.zeros(1, 1, device=device))
        action = VlmAction(names=[""] * 7)
        action.header = message.header
        action.values = planned.actions[0, 0, :7].double().cpu().numpy()
        actions.publish(action)

    queue = QoSProfile(depth=SENT, reliability=qos_profile_sensor_data.reliability)
    node.create_subscription(Image, TOPIC, on_image, queue)
    node.create_subscription(String, "instruction", lambda m: said.__setitem__(0, m.data), SENT)
    rclpy.spin(node)


def be_echo() -> None:
    """Answer every image at once."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # it ends when told to, at once
    node = rclpy.create_node("echo")
    actions = node.create_publisher(VlmAction, "action", SENT)
    chunks = node.create_publisher(ChunkMessage, "action_chunk", SENT)

    def on_image(message: Image) -> None:
        chunks.publish(ChunkMessage(header=message.header))
        actions.publish(VlmAction(header=message.header, names=[""] * 7))

    newest = QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability)
    node.create_subscription(Image, TOPIC, on_image, newest)
    node.create_subscription(String, "instruction", lambda message: None, SENT)
    rclpy.spin(node)


if __name__ == "__main__":
    {"naive": be_naive, "echo": be_echo, "model": be_model}[sys.argv[1]](*sys.argv[2:])
