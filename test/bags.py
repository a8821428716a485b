"""Bags that the tests write themselves, with rosbags."""

from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vlm_robot_ros.robot.loader import contract_file, load_robot

DEMO_COMMANDS = 9
"""Of the demo that is recorded for the tests; the first nine hold the stop and the meaningless."""
ROBOT = load_robot("panda_sim")
HOME = np.array(ROBOT.home)
POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")


def typestore():
    """Return the types of ROS and ours."""
    store = get_typestore(Stores.LATEST)
    for path in (Path(__file__).parents[1] / "msg").glob("*.msg"):
        found = get_types_from_msg(path.read_text(), f"vlm_robot_ros/msg/{path.stem}")
        store.register({k: v for k, v in found.items() if k not in store.fielddefs})
    return store


class BagWriter:
    """Writes messages of times that the test chooses [s]."""

    def __init__(self, folder, contract="panda_sim", plugin=StoragePlugin.MCAP):
        self._store = typestore()
        self._writer = Writer(folder, version=9, storage_plugin=plugin)
        self._writer.open()
        self._connections = {}
        if contract:
            import json

            about = json.dumps({"contract": contract_file(contract).read_text()})
            self.add("/recording", "std_msgs/msg/String", 0.0, data=about)

    def add(self, topic, kind, at, **fields):
        """Write a message of a type; what is not given is as empty as can be."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=self._store
            )
        message = self._made(kind, fields)
        data = self._store.serialize_cdr(message, kind)
        self._writer.write(self._connections[topic], round(at * 1e9), data)

    def close(self):
        self._writer.close()

    def header(self, stamp):
        whole = int(stamp)
        nanoseconds = round((stamp - whole) * 1e9)
        time = self._store.types["builtin_interfaces/msg/Time"](whole, nanoseconds)
        return self._store.types["std_msgs/msg/Header"](time, "panda_link0")

    def say(self, at, text):
        self.add("/current_instruction", "std_msgs/msg/String", at, data=text)

    def image(self, stamp, pixels, camera="front", late=0.002):
        height, width, _ = pixels.shape
        self.add(
            f"/camera/{camera}/image_raw", "sensor_msgs/msg/Image", stamp + late,
            header=self.header(stamp), height=height, width=width, encoding="rgb8",
            is_bigendian=0, step=3 * width, data=pixels.reshape(-1),
        )  # fmt: skip

    def joints(self, stamp, place=HOME, opening=1.0):
        names = [*ROBOT.joint_names, ROBOT.gripper.joint]
        closed, opened = ROBOT.gripper.closed, ROBOT.gripper.open
        position = np.r_[place, closed + opening * (opened - closed)]
        self.add(
            "/joint_states", "sensor_msgs/msg/JointState", stamp + 0.001,
            header=self.header(stamp), name=names, position=position,
            velocity=np.zeros(0), effort=np.zeros(0),
        )  # fmt: skip

    def action(self, at, stamp, values, gripper=1.0, hold="", number=1, mode=3):
        self.add(
            "/action", "vlm_robot_ros/msg/VlmAction", at, header=self.header(stamp), mode=mode,
            names=np.array(POSE if mode else ROBOT.joint_names), values=np.array(values, float),
            gripper=gripper, instruction="", instruction_id=number, step_index=0, step_count=0,
            step="", confidence=1.0, hold=bool(hold), hold_code=int(bool(hold)), hold_reason=hold,
        )  # fmt: skip

    def mark(self, at, event, note=""):
        self.add(
            "/episode_mark", "vlm_robot_ros/msg/EpisodeMark", at, header=self.header(at),
            event=event, by="person", note=note,
        )  # fmt: skip

    def _made(self, kind, fields):
        cls = self._store.types[kind]
        return cls(**fields)


def moving_bag(
    folder,
    seconds=3.0,
    said="pick up the red cube",
    skip=(),
    success=None,
    again="",
    noise=0.0,
    led=(),
    leader=False,
    **options,
):
    """Write a bag of an arm that moves from 0.5 s on; returns its images by stamp.

    Images of both cameras come ten times a second but for the numbers in `skip`, commands and
    joint states fifty times. With `again` the first half is judged a failure, and that is said. In
    `led`, begin and end [s], a person moves the arm; with `leader` by joint positions.
    """
    bag, shown = BagWriter(folder, **options), {}
    bag.say(0.3, said)
    for tick in range(round(seconds * 50)):
        now = tick / 50
        bag.joints(now, HOME + 0.1 * np.sin(now))
        if again and tick == round(seconds * 25):
            bag.mark(now, 3)
            bag.say(now + 0.001, again)
        if tick % 5 == 0 and tick // 5 not in skip:
            rng = np.random.default_rng(tick)
            corners = rng.integers(0, 256, (2, 2, 3))
            pixels = np.kron(corners, np.ones((32, 32, 1))).astype(np.uint8)
            shown[round(now, 3)] = pixels
            for camera in ("front", "wrist"):
                bag.image(now, pixels, camera)
        pose = [0.4 + 0.01 * now, 0.0, 0.3, 1.0, 0.0, noise * (-1) ** tick, 0.0]
        frame = (tick // 5) * 0.1
        if leader and led[0] <= now < led[1]:
            bag.action(now + 0.003, frame, HOME + 0.1 * np.sin(now), mode=0)
            continue
        bag.action(now + 0.003, frame, pose, hold="" if now >= 0.5 else "waiting for a plan")
    for event, at in enumerate(led, start=4):
        bag.mark(at, event)
    if success is not None:
        bag.mark(seconds, 2 if success else 3)
    bag.close()
    return shown
