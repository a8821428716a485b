"""Write a tiny LeRobotDataset, and what the lerobot library that is installed reads in it.

uv run --with lerobot==0.4.4 write_lerobot.py lerobot_v3 video
uv run --with lerobot==0.3.3 write_lerobot.py lerobot_v2 image
"""

import sys
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

SAID = ("pick up the red cube", "push the lemon left")


def main(out: Path, kind: str) -> None:
    """Write ten episodes of 4, 5, 6, 4... frames."""
    sides = ["height", "width", "channels"]
    pose = ["x", "y", "z", "qx", "qy", "qz", "qw", "gripper"]
    move = ["dx", "dy", "dz", "droll", "dpitch", "dyaw", "gripper"]
    features = {
        "observation.images.front": {"dtype": kind, "shape": (64, 96, 3), "names": sides},
        "observation.state": {"dtype": "float32", "shape": (8,), "names": pose},
        "action": {"dtype": "float32", "shape": (7,), "names": move},
    }
    made = LeRobotDataset.create(
        "tiny/tiny", 10, features, out, "panda", use_videos=kind == "video"
    )
    rng = np.random.default_rng(0)
    for number in range(10):
        said = SAID[number % 2]
        colour = rng.integers(0, 256, 3)
        for step in range(4 + number % 3):
            picture = np.full((64, 96, 3), colour, np.uint8)
            picture[8 * step : 8 * step + 8, 16:32] = 255 - colour
            frame = {
                "observation.images.front": picture,
                "observation.state": rng.normal(size=8).astype(np.float32),
                "action": np.append(rng.normal(size=6) * 0.02, step > 1).astype(np.float32),
            }
            if hasattr(made, "finalize"):
                made.add_frame({**frame, "task": said})
            else:
                made.add_frame(frame, task=said)
        made.save_episode()
    if hasattr(made, "finalize"):
        made.finalize()
    again = LeRobotDataset("tiny/tiny", out, video_backend="pyav")
    rows = [again[i] for i in range(len(again))]
    np.savez_compressed(
        f"{out}.npz",
        image=np.stack([row["observation.images.front"].permute(1, 2, 0) for row in rows]),
        state=np.stack([row["observation.state"] for row in rows]),
        action=np.stack([row["action"] for row in rows]),
        episode=np.stack([row["episode_index"] for row in rows]),
        said=np.array([row["task"] for row in rows]),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
