"""Read a dataset of `vlm-robot bag convert` with lerobot itself, and train one step of ACT on it.

uv run --with lerobot==0.4.4 read_lerobot.py DATASET
"""

import sys
from pathlib import Path

import torch
from lerobot.configs.types import FeatureType
from lerobot.datasets.lerobot_dataset import LeRobotDataset, LeRobotDatasetMetadata
from lerobot.datasets.utils import dataset_to_policy_features
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.factory import make_pre_post_processors

HORIZON = 8


def main(root: Path) -> None:
    """Print what lerobot reads, and the loss before and after a step."""
    meta = LeRobotDatasetMetadata("local/bags", root=root)
    times = {"action": [step / meta.fps for step in range(HORIZON)]}
    data = LeRobotDataset("local/bags", root, delta_timestamps=times, video_backend="pyav")
    print(f"{data.num_episodes} episodes, {len(data)} frames: {list(meta.tasks.index)}")
    features = dataset_to_policy_features(meta.features)
    action = {k: v for k, v in features.items() if v.type is FeatureType.ACTION}
    front = {k: v for k, v in features.items() if k not in action and "wrist" not in k}
    config = ACTConfig(
        input_features=front, output_features=action, chunk_size=HORIZON,
        n_action_steps=HORIZON, device="cpu", pretrained_backbone_weights=None,
    )  # fmt: skip
    policy = ACTPolicy(config)
    prepare, _ = make_pre_post_processors(config, dataset_stats=meta.stats)
    batch = prepare(next(iter(torch.utils.data.DataLoader(data, batch_size=4, shuffle=True))))
    optimizer = torch.optim.AdamW(policy.parameters(), 1e-4)
    before, _ = policy.forward(batch)
    before.backward()
    optimizer.step()
    after, _ = policy.forward(batch)
    print(f"loss {before.item():.2f}, after a step {after.item():.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
