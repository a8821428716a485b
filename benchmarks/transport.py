"""Do camera images arrive, and how soon? With Fast DDS as it comes, and with the shipped profile.

    python benchmarks/transport.py [--seconds 60] [--cameras 2] [--profiles shipped default]

Each camera is a process that sends 640 x 480 rgb8 at 30 Hz, best effort; one process listens to
all, with the queue of `--depth`. Frames are counted by their header stamps.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np

WIDTH, HEIGHT = 640, 480


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--cameras", type=int, nargs="+", default=[2])
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--depth", type=int, default=5)
    parser.add_argument("--profiles", nargs="+", default=["shipped", "default"])
    parser.add_argument("--role", choices=("camera", "listener"), help="for its own processes")
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--bits", type=int, default=8, help="of noise, a byte")
    args = parser.parse_args()
    if args.role:
        {"camera": _send, "listener": _listen}[args.role](args)
        return
    print(f"{WIDTH}x{HEIGHT} rgb8, {args.rate:.0f} Hz, {args.seconds:.0f} s\n")
    print("| profile | cameras | sent | lost | p50 ms | p99 ms | longest ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for profile in args.profiles:
        for count in args.cameras:
            row = _measure(args, profile, count)
            print(f"| {profile} | {count} | {' | '.join(map(str, row))} |", flush=True)


def _measure(args: argparse.Namespace, profile: str, count: int) -> list[object]:
    """Return how many were sent and lost, and p50, p99 and longest latency [ms]."""
    environment = {**os.environ, "ROS_DOMAIN_ID": str(101 + os.getpid() % 100)}
    if profile == "default":
        for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
            environment.pop(name, None)
    options = [
        f"--seconds={args.seconds}", f"--rate={args.rate}", f"--depth={args.depth}",
        f"--cameras={count}",
    ]  # fmt: skip

    def start(*role: str) -> "subprocess.Popen[str]":
        command = [sys.executable, __file__, *options, *role]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    listener = start("--role=listener")
    cameras = [start("--role=camera", f"--number={number}") for number in range(count)]
    sent = sum(int(camera.communicate()[0]) for camera in cameras)
    heard = json.loads(listener.communicate()[0])
    late = 1e3 * np.array(heard["latency"] or [np.nan])
    figures = [f"{value:.1f}" for value in (*np.percentile(late, (50, 99)), late.max())]
    return [sent, sent - heard["count"], *figures]


def _send(args: argparse.Namespace) -> None:
    """Be a camera; print how many frames were sent."""
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    rclpy.init()
    node = rclpy.create_node(f"camera_{args.number}")
    publisher = node.create_publisher(Image, f"camera_{args.number}", qos_profile_sensor_data)
    rng = np.random.default_rng(args.number)
    noise = rng.integers(0, 2**args.bits, HEIGHT * WIDTH * 3, np.uint8).tobytes()
    image = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=3 * WIDTH)
    image.data = noise
    while publisher.get_subscription_count() == 0:
        time.sleep(0.05)
    time.sleep(1.0)  # the listener's end of the match comes a little later
    begun, frames = time.perf_counter(), round(args.seconds * args.rate)
    for number in range(frames):
        time.sleep(max(0.0, begun + number / args.rate - time.perf_counter()))
        image.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(image)
    time.sleep(1.0)
    print(frames)
    node.destroy_node()
    rclpy.shutdown()


def _listen(args: argparse.Namespace) -> None:
    """Hear all cameras until they have gone; print what came as JSON."""
    import rclpy
    from rclpy.qos import QoSProfile, qos_profile_sensor_data
    from rclpy.time import Time
    from sensor_msgs.msg import Image

    rclpy.init()
    node = rclpy.create_node("listener")
    stamps: set[tuple[int, int, int]] = set()
    latency: list[float] = []
    qos = QoSProfile(depth=args.depth, reliability=qos_profile_sensor_data.reliability)

    def hear(number: int, message: Image) -> None:
        now = node.get_clock().now()
        latency.append((now - Time.from_msg(message.header.stamp)).nanoseconds * 1e-9)
        stamps.add((number, message.header.stamp.sec, message.header.stamp.nanosec))

    for number in range(args.cameras[0]):
        node.create_subscription(
            Image, f"camera_{number}", lambda message, n=number: hear(n, message), qos
        )
    heard, since = 0, time.monotonic()
    while time.monotonic() - since < (30.0 if not heard else 3.0):
        rclpy.spin_once(node, timeout_sec=0.5)
        if len(stamps) > heard:
            heard, since = len(stamps), time.monotonic()
    print(json.dumps({"count": len(stamps), "latency": latency}))
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
