"""What the demo asks for: a list of commands, each in a fresh scene, by seed."""

from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.sim.language import say
from vlm_robot_ros.sim.scene import sample_scene
from vlm_robot_ros.sim.tasks import SKILLS, Task, sample_task

MEANINGLESS = "sing me a song"


@dataclass(frozen=True)
class Item:
    """One command of the demo."""

    scene_seed: int
    instruction: str
    family: str
    """A skill, "stop" (said while the arm does `instruction`) or "meaningless"."""
    task: Task | None


def demo_programme(seed: int) -> list[Item]:
    """Return twelve commands: each skill twice, in mixed order, a stop and a meaningless one."""
    rng = np.random.default_rng([seed, 20])
    families = [*rng.permutation([*SKILLS, *SKILLS])]
    families.insert(4, "stop")
    families.insert(8, "meaningless")
    return [_item(rng, str(family)) for family in families]


def _item(rng: np.random.Generator, family: str) -> Item:
    skill = family if family in SKILLS else str(rng.choice(SKILLS))
    while True:
        # Scenes of seeds that no training has: demonstrations count up from a million.
        scene_seed = int(rng.integers(10_000_000, 2**40))
        scene = sample_scene(np.random.default_rng(scene_seed))
        task = sample_task(rng, scene, skill)
        if task is not None:
            break
    if family == "meaningless":
        return Item(scene_seed, MEANINGLESS, family, None)
    return Item(scene_seed, say(rng, task, scene), family, task)
