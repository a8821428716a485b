"""LeRobotDatasets as other tools write them, for the tests that read them."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

JOINTS = [*(f"joint_{number}" for number in range(6)), "gripper"]
SO101 = [
    f"{part}.pos"
    for part in ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
] + ["gripper.pos"]
LENGTH, CAMERA = 8, "observation.images.top"


def image(mode="RGB"):
    """Return a PNG file with an image of a mode."""
    shape = (16, 16, 3) if mode == "RGB" else (16, 16)
    dtype = np.uint16 if mode == "I;16" else np.uint8
    file = io.BytesIO()
    Image.fromarray(np.full(shape, 77, dtype)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def rows(scale=0.3, last=1.0, width=7):
    """Return values within a scale, and a last column from 0 to `last`. Shape (T, width)."""
    values = np.random.default_rng(0).uniform(-scale, scale, (LENGTH, width))
    values[:, -1] = np.linspace(0, last, LENGTH)
    return values.astype(np.float32)


def dataset(
    folder, names=JOINTS, values=None, states=None, state_names=None, keys=None, info=None,
    column=None, episodes=None, tasks=("pick up the cube",), spoil=None, cell=None,
):  # fmt: skip
    """Write a dataset of version 2.1 with two episodes, odd in what is given."""
    values = rows() if values is None else values
    states = values if states is None else states
    state, action, camera = keys or ("observation.state", "action", CAMERA)
    meta, data = folder / "meta", folder / "data" / "chunk-000"
    meta.mkdir(parents=True)
    data.mkdir(parents=True)
    single = {"dtype": "int64", "shape": [1], "names": None}
    features = {
        camera: {"dtype": "image", "shape": [16, 16, 3], "names": ["height", "width", "channel"]},
        state: {"dtype": "float32", "shape": [states.shape[1]], "names": state_names or names},
        action: {"dtype": "float32", "shape": [values.shape[1]], "names": names},
        **{name: single for name in ("timestamp", "frame_index", "episode_index", "task_index")},
    }
    about = {
        "codebase_version": "v2.1", "robot_type": "franka", "fps": 10, "chunks_size": 1000,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "features": features, **(info or {}),
    }  # fmt: skip
    (meta / "info.json").write_text(json.dumps(about))
    lines = [{"task_index": number, "task": task} for number, task in enumerate(tasks)]
    (meta / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    known = episodes or [{"episode_index": n, "tasks": list(tasks)} for n in (0, 1)]
    (meta / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n\n" for line in known))
    for number in (0, 1):
        table = {
            camera: [cell or image() for _ in range(LENGTH)],
            state: states.tolist(), action: values.tolist(),
            "timestamp": np.arange(LENGTH) / 10, "frame_index": np.arange(LENGTH),
            "episode_index": np.full(LENGTH, number), "task_index": np.zeros(LENGTH, int),
            **(column or {}),
        }  # fmt: skip
        pq.write_table(pa.table(table), data / f"episode_{number:06d}.parquet")
    if spoil:
        spoil(folder)
    return folder


def replaced(old, new):
    """Return what replaces a text in `meta/info.json`."""

    def spoil(folder):
        file = folder / "meta" / "info.json"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    return spoil


OPENPI = ("state", "actions", "image")


def tables(data):
    states, actions = zip(*(data.table(number) for number in range(len(data))), strict=True)
    return actions, states


TWO_ARMS = [f"{side}_{name}" for side in ("left", "right") for name in JOINTS]
