"""All things on the table that a checkpoint has a name for, from one image."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vlm_robot_ros.models.grounded.image import AuxiliaryInputs
from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.models.grounded.text import InstructionSlots
from vlm_robot_ros.policies.grounded.step_slots import sure_logits

_PRESENT = 0.5
"""Agreement of a name and the image above which the thing is there."""
_SAME_PLACE_M = 0.04
"""How near each other two names are found that are names of one thing [m]."""


class DetectedObject(NamedTuple):
    """A thing on the table."""

    colour: str
    """`ANY` for a receptacle."""
    noun: str
    point: np.ndarray
    """Its middle. Shape (3,), base frame [m]."""
    confidence: float
    """Probability that it is there, 0 to 1."""


@torch.inference_mode()
def detect_objects(
    model: VisionLanguageRobotModel,
    image: Tensor,
    tool: Tensor,
    opening: Tensor,
    slots: InstructionSlots,
    beside: AuxiliaryInputs,
) -> list[DetectedObject]:
    """Return the things on the table, the surest first.

    Args:
        model: A model without a fusion of words and image features.
        image: As `ground` takes it, like the other arguments; a batch of one.
        tool: Shape (1, 3), base frame [m].
        opening: Shape (1,).
        slots: Of any sentence.
        beside: What else is seen.
    """
    config = model.config
    movable = config.nouns[2 : 2 + config.movable]
    names = [(colour, noun) for colour in config.colours[1:] for noun in movable]
    names += [(config.colours[0], noun) for noun in config.nouns[2 + config.movable :]]
    queries = slots._replace(
        colour=sure_logits(config.colours, [colour for colour, _ in names], image.device)[None],
        noun=sure_logits(config.nouns, [noun for _, noun in names], image.device)[None],
    )
    seen = model.ground(image, tool, opening, queries, beside)
    points = seen.point[0].double().cpu().numpy()
    found: list[DetectedObject] = []
    for number in seen.present[0].argsort(descending=True).tolist():
        confidence = float(seen.present[0, number])
        if confidence < _PRESENT:
            break
        is_movable = names[number][1] in movable
        # What lies in a receptacle is another thing.
        if all(
            float(np.linalg.norm((other.point - points[number])[:2])) > _SAME_PLACE_M
            or (other.noun in movable) != is_movable
            for other in found
        ):
            colour, noun = names[number]
            found.append(DetectedObject(colour, noun, points[number], confidence))
    return found
