"""Write tiny RLDS sets with tensorflow_datasets, and what it reads in them.

    uv run --with tensorflow-cpu --with tensorflow_datasets==4.9.10 write_rlds.py rlds

One is made like BridgeData V2, one like RT-1's fractal, with what their actions are called.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

F = tfds.features


def number(*shape: int, dtype: type = np.float32) -> object:
    """Describe a tensor."""
    return F.Tensor(shape=shape, dtype=dtype) if shape else F.Scalar(dtype=dtype)


def flags() -> dict[str, object]:
    """Describe what RLDS asks of every step."""
    names = ("is_first", "is_last", "is_terminal")
    return {name: number(dtype=np.bool_) for name in names}


class Tiny(tfds.core.GeneratorBasedBuilder):
    """What both have."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = epath.Path(".")

    def _info(self) -> tfds.core.DatasetInfo:
        features = F.FeaturesDict({"steps": F.Dataset(self.describe())})
        return self.dataset_info_from_configs(features=features)

    def _split_generators(self, manager: object) -> dict[str, object]:
        return {"train": self._generate_examples(10), "val": self._generate_examples(1)}

    def _generate_examples(self, count):
        rng = np.random.default_rng(count)
        for episode in range(count):
            length = 4 + episode % 3
            steps = [
                {
                    **self.step(rng, episode, step),
                    "is_first": step == 0,
                    "is_last": step == length - 1,
                    "is_terminal": step == length - 1,
                }
                for step in range(length)
            ]
            yield episode, {"steps": steps}


def picture(rng: np.random.Generator, step: int) -> np.ndarray:
    """Draw something."""
    drawn = np.full((64, 96, 3), rng.integers(0, 256, 3), np.uint8)
    drawn[8 * step : 8 * step + 8, 16:32] += 99
    return drawn


def normal(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw numbers."""
    return rng.normal(size=size).astype(np.float32)


class TinyBridge(Tiny):
    """One tensor for an action."""

    def describe(self) -> dict[str, object]:
        """Describe a step."""
        return {
            "observation": {
                "image_0": F.Image(shape=(64, 96, 3), encoding_format="png"),
                "state": number(7),
            },
            "action": number(7),
            "language_instruction": F.Text(),
            **flags(),
        }

    def step(self, rng: np.random.Generator, episode: int, step: int) -> dict[str, object]:
        """Return a step."""
        seen = {"image_0": picture(rng, step), "state": normal(rng, 7)}
        said = f"push thing {episode % 2} to the left"
        act = np.append(0.02 * normal(rng, 6), np.float32(step > 1))
        return {"observation": seen, "action": act, "language_instruction": said}


class TinyFractal(Tiny):
    """A dictionary for an action."""

    def describe(self) -> dict[str, object]:
        """Describe a step."""
        return {
            "observation": {
                "image": F.Image(shape=(64, 96, 3), encoding_format="jpeg"),
                "natural_language_instruction": number(dtype=np.str_),
                "natural_language_embedding": number(64),
                "base_pose_tool_reached": number(7),
                "gripper_closed": number(1),
            },
            "action": {
                "world_vector": number(3),
                "rotation_delta": number(3),
                "gripper_closedness_action": number(1),
                "terminate_episode": number(3, dtype=np.int32),
            },
            **flags(),
        }

    def step(self, rng: np.random.Generator, episode: int, step: int) -> dict[str, object]:
        """Return a step."""
        seen = {
            "image": picture(rng, step),
            "natural_language_instruction": f"pick can {episode % 2}",
            "natural_language_embedding": normal(rng, 64),
            "base_pose_tool_reached": normal(rng, 7),
            "gripper_closed": normal(rng, 1),
        }
        act = {
            "world_vector": 0.02 * normal(rng, 3),
            "rotation_delta": 0.02 * normal(rng, 3),
            "gripper_closedness_action": np.array([(0, 1, 0, 0, -1, 0)[step]], np.float32),
            "terminate_episode": np.array([0, 1, 0], np.int32),
        }
        return {"observation": seen, "action": act}


def flat(step: dict[str, object], name: str = "") -> dict[str, object]:
    """Return a step's leaves by their names."""
    found = {}
    for key, value in step.items():
        full = f"{name}/{key}" if name else key
        found |= flat(value, full) if isinstance(value, dict) else {full: value}
    return found


def main(out: Path) -> None:
    """Write both."""
    for of in (TinyBridge, TinyFractal):
        builder = of(data_dir=str(out))
        builder.download_and_prepare()
        rows = {}
        for number, episode in enumerate(tfds.as_numpy(builder.as_dataset(split="train"))):
            for step in episode["steps"]:
                for name, value in {**flat(step), "episode": number}.items():
                    rows.setdefault(name.replace("/", "."), []).append(value)
        np.savez_compressed(
            f"{out}_{builder.name}.npz", **{n: np.stack(v) for n, v in rows.items()}
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
