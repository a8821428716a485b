"""Does the recorder lose anything? Cameras of 640 x 480 rgb8 at 30 Hz, counted by header stamps.

    python benchmarks/recording.py [--seconds 600] [--cameras 2] [--folder /tmp]

The images are noise of five bits a byte, about as hard to compress as a camera's. The bag is
read back by our reader and removed; ten minutes of two cameras need 20 GB.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from vlm_robot_ros.bags.bag import Bag


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="for the bag; the system's for such things")
    args = parser.parse_args()
    environment = {**os.environ, "ROS_DOMAIN_ID": str(1 + os.getpid() % 100)}
    folder = Path(tempfile.mkdtemp(dir=args.folder))
    code = "import sys; from vlm_robot_ros.nodes.recorder_node import main; sys.exit(main())"
    command = ["-c", code, "--ros-args", "-p", f"bag:={folder / 'bag'}"]
    recorder = subprocess.Popen([sys.executable, *command], env=environment)
    transport = Path(__file__).with_name("transport.py")
    try:
        cameras = [
            subprocess.Popen(
                [sys.executable, transport, "--role=camera", f"--number={number}",
                 f"--seconds={args.seconds}", "--bits=5"],
                env=environment, stdout=subprocess.PIPE, text=True,
            )
            for number in range(args.cameras)
        ]  # fmt: skip
        sent = [int(camera.communicate()[0]) for camera in cameras]
        recorder.send_signal(signal.SIGINT)
        recorder.wait(60)
        size = sum(file.stat().st_size for file in (folder / "bag").iterdir())
        stamps: list[set[tuple[int, int]]] = [set() for _ in cameras]
        for topic, _, message in Bag(folder / "bag").messages(
            [f"/camera_{number}" for number in range(args.cameras)]
        ):
            at = message.header.stamp
            stamps[int(topic[-1])].add((at.sec, at.nanosec))
    finally:
        recorder.kill()
        shutil.rmtree(folder)
    print("| cameras | seconds | sent | recorded | lost | bag GB |")
    print("| --- | --- | --- | --- | --- | --- |")
    got = sum(map(len, stamps))
    print(
        f"| {args.cameras} | {args.seconds:.0f} | {sum(sent)} | {got} | {sum(sent) - got} "
        f"| {size / 1e9:.1f} |"
    )


if __name__ == "__main__":
    main()
