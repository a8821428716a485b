"""What a step says, as the slots that the networks take."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vlm_robot_ros.language.replies import describe_object, describe_step
from vlm_robot_ros.language.task_spec import COLOUR_SLOT, NONE, TaskSpec, is_qualified
from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.models.grounded.text import InstructionSlots
from vlm_robot_ros.policies.grounded.instruction_parser import InstructionParser
from vlm_robot_ros.policies.grounded.task_state import displacement

_SURE = 20.0
"""Logit of what a step says."""


class StepSlots:
    """Steps to slots."""

    def __init__(self, model: VisionLanguageRobotModel, words: InstructionParser) -> None:
        """Take a model, and its own words: fusions that take text features take theirs."""
        self._config, self._words = model.config, words
        self.detects = self._config.fusion == "slots"
        """Whether all things on the table can be told from one image."""
        self._step: TaskSpec | None = None
        self._slots: InstructionSlots | None = None

    @torch.inference_mode()
    def __call__(self, step: TaskSpec) -> InstructionSlots:
        """Return the slots of a step."""
        if self._slots is None or step != self._step:
            self._step, self._slots = step, self._make(step)
        return self._slots

    def refusal(self, step: TaskSpec) -> str:
        """Return why the policy cannot do a step that is understood; empty if it can."""
        config = self._config
        if step.skill not in config.skills:
            return f"I have not learned to {step.skill}"
        for thing in (step.target, step.reference):
            if thing.colour not in config.colours or thing.noun not in config.nouns:
                return f"I have not learned what {describe_object(thing)} is"
            if is_qualified(thing) and not self.detects:
                return (
                    f"I only tell things by colour and kind, not as '{describe_step(step)}' does"
                )
        if step.amount and displacement(step) is None:
            return f"I only push and lift by an amount, up to 20 cm: not '{describe_step(step)}'"
        return ""

    def _make(self, step: TaskSpec) -> InstructionSlots:
        config, slots = self._config, self._words.read(describe_step(step))
        things = (step.target, step.reference)

        device = slots.skill.device
        colours, nouns = ([getattr(each, kind) for each in things] for kind in ("colour", "noun"))
        return slots._replace(
            skill=sure_logits(config.skills, [step.skill], device),
            colour=sure_logits(config.colours, colours, device)[None],
            noun=sure_logits(config.nouns, nouns, device)[None],
            reject=torch.full_like(slots.reject, -_SURE),
        )


def sure_logits(names: Sequence[str], wanted: Sequence[str], device: torch.device) -> Tensor:
    """Return logits that leave no doubt about names. Shape (wanted, names)."""
    numbers = torch.tensor([names.index(name) for name in wanted], device=device)
    return _SURE * F.one_hot(numbers, len(names)).float()


def is_named(step: TaskSpec, which: int) -> bool:
    """Tell whether a step has a target (0), a reference (1) that must be found."""
    return (step.target, step.reference)[which].noun != NONE


def object_name(step: TaskSpec, which: int) -> str:
    """Return a step's target (0), its reference (1) as the step names it: "red cube"."""
    thing = (step.target, step.reference)[which]
    return thing.noun if thing.colour == COLOUR_SLOT[0] else f"{thing.colour} {thing.noun}"
