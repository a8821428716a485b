"""What sentences say to the policy, and which of them it cannot act on."""

from dataclasses import replace

import torch

from vlm_robot_ros.language.corrections import Correction, read_correction
from vlm_robot_ros.language.interpretation import Interpretation
from vlm_robot_ros.language.task_spec import MISSING, ObjectReference, TaskSpec
from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.models.grounded.text import InstructionSlots
from vlm_robot_ros.models.tokenizer import Tokenizer, split
from vlm_robot_ros.policies.sentence_parsing import ParsedSentence

_NO_THING, _FIRST_SHAPE = 0, 2
_ANY_COLOUR, _ANY_OBJECT = 0, 1
"""What slots say of a thing that is named by no colour, by no shape."""
_NO_OBJECT = ObjectReference()
_REJECTION_MARGIN = 2.0
"""How much more sure than half it must be that words mean nothing, as a logit."""


class InstructionParser:
    """A model's words, and what the rules of the table make of them."""

    def __init__(self, model: VisionLanguageRobotModel, device: str) -> None:
        """Take a model that computes on a device."""
        self._model, self._device = model, device
        self._tokenizer = Tokenizer(model.config.vocabulary)

    def parse(self, text: str, after: str = "") -> ParsedSentence:
        """Return what a sentence means, said after another one or after none."""
        if correction := read_correction(text):
            return ParsedSentence(self._corrected(correction, after), 1.0)
        slots = self.read(text)
        unknown = (self.unknown_word(text, slots, 0), self.unknown_word(text, slots, 1))
        if self.no_task_probability(slots) > 0.5:
            return ParsedSentence(Interpretation("unclear"), self.confidence(slots), unknown)
        meaning = Interpretation("command", (self.step(slots),))
        return ParsedSentence(meaning, self.confidence(slots), unknown)

    def step(self, slots: InstructionSlots) -> TaskSpec:
        """Return the step that slots say most likely; `MISSING` is what the skill lacks."""
        things = [
            self._thing(slots, which) if self.skill_takes_argument(slots, which) else _NO_OBJECT
            for which in (0, 1)
        ]
        return TaskSpec(self.skill(slots), things[0], things[1])

    def _thing(self, slots: InstructionSlots, which: int) -> ObjectReference:
        if not self.argument_is_named(slots, which):
            return ObjectReference(noun=MISSING)
        colour, noun = (int(part[0, which].argmax()) for part in (slots.colour, slots.noun))
        return ObjectReference(self._model.config.colours[colour], self._model.config.nouns[noun])

    def _corrected(self, correction: Correction, after: str) -> Interpretation:
        """Return what a correction makes of the sentence before it."""
        if correction.kind == "undo":
            return Interpretation("correction", (), "undo")
        before = self.step(self.read(after))
        if not after:
            return Interpretation("correction", (), "replace")
        if correction.kind == "nudge":
            push = TaskSpec(f"push {correction.words}", before.target, amount="small")
            return Interpretation("correction", (push,), "adjust")
        if correction.kind == "other way":
            skill = f"{before.skill.split()[0]} {correction.words}"
            if skill not in self._model.config.skills:
                part = f"{before.skill.split()[0]} {correction.words}"
                return Interpretation("command", obstacle="unknown action", part=part)
            return Interpretation("correction", (replace(before, skill=skill),), "replace")
        slots = self.read(f"pick up {correction.words}")
        thing = self._thing(slots, 0)
        if float(slots.reject[0]) > 0 or MISSING in (thing.noun, before.target.noun):
            return Interpretation("command", obstacle="unknown object", part=correction.words)
        if thing.noun == "object":  # "the blue one" is one of the same kind
            thing = replace(thing, noun=before.target.noun)
        return Interpretation("correction", (replace(before, target=thing),), "replace")

    def problem(self, instruction: str, slots: InstructionSlots, any_object: bool) -> str:
        """Return why nothing can be done of an instruction; empty if it can.

        Args:
            instruction: The words.
            slots: What `read` says of them.
            any_object: Whether some object will do where the words do not say which.
        """
        skill = self.skill(slots)
        if self.no_task_probability(slots) > 0.5:
            return f"'{instruction}' asks for nothing that I know how to do"
        if self.skill_takes_argument(slots, 0) and not self.argument_is_named(slots, 0):
            return f"'{instruction}' does not say what to {skill}"
        if self.skill_takes_argument(slots, 1) and not self.argument_is_named(slots, 1):
            return f"'{instruction}' does not say where to {skill}"
        if not any_object and any(self.is_any(slots, which) for which in (0, 1)):
            # "The one to put in the bin" may lack its end.
            return f"'{instruction}' does not say which object to {skill}"
        if self.argument_is_named(slots, 1) and self.name(slots, 0) == self.name(slots, 1):
            return f"'{instruction}' relates the {self.name(slots, 0)} to itself"
        return ""

    @torch.inference_mode()
    def read(self, sentence: str) -> InstructionSlots:
        """Return what a sentence says; what is put on an object is stacked."""
        words = torch.tensor([self._tokenizer(sentence)], device=self._device)
        slots = self._model.text(words)
        config, noun = self._model.config, int(slots.noun[0, 1].argmax())
        if self.skill(slots) not in ("put", "stack") or noun == _NO_THING:
            return slots
        movable = noun < _FIRST_SHAPE + config.movable
        skill = slots.skill.clone()
        skill[:, config.skills.index("put" if movable else "stack")] = -torch.inf
        return slots._replace(skill=skill)

    def skill(self, slots: InstructionSlots) -> str:
        """Return what is most likely to be done."""
        return self._model.config.skills[int(slots.skill.argmax())]

    def no_task_probability(self, slots: InstructionSlots) -> float:
        """Return how sure it is that the words ask for nothing that can be done.

        Who speaks to an arm means something more often than one sentence in four of the training.
        """
        return float((slots.reject - _REJECTION_MARGIN).sigmoid()[0])

    def skill_takes_argument(self, slots: InstructionSlots, which: int) -> bool:
        """Tell whether the skill is about a target (0), about a reference (1)."""
        config, skill = self._model.config, int(slots.skill.argmax())
        return any(config.goal_of_reference[skill]) or (
            which == 0 and any(config.goal_of_start[skill])
        )

    def argument_is_named(self, slots: InstructionSlots, which: int) -> bool:
        """Tell whether a target (0), a reference (1) must be found."""
        return self.skill_takes_argument(slots, which) and int(slots.noun[0, which].argmax()) != 0

    def is_any(self, slots: InstructionSlots, which: int) -> bool:
        """Tell whether neither colour nor shape is said of a target (0), a reference (1)."""
        colour, noun = (int(part[0, which].argmax()) for part in (slots.colour, slots.noun))
        return self.argument_is_named(slots, which) and (colour, noun) == (
            _ANY_COLOUR,
            _ANY_OBJECT,
        )

    def unknown_word(self, instruction: str, slots: InstructionSlots, which: int) -> str:
        """Return a word of no known meaning that may be a thing's colour or shape, or nothing.

        Where both are said, as in "the shiny red cube", others are let pass.

        Args:
            instruction: The words.
            slots: What `read` says of them.
            which: The target (0), or the reference (1).
        """
        colour, noun = (int(part[0, which].argmax()) for part in (slots.colour, slots.noun))
        if not self.argument_is_named(slots, which) or (
            colour != _ANY_COLOUR and noun != _ANY_OBJECT
        ):
            return ""
        owners = slots.owner[0].argmax(-1).tolist()
        for word, owner in zip(split(instruction), owners, strict=False):
            if owner == 1 + which and self._tokenizer.unknown(word):
                return word
        return ""

    def name(self, slots: InstructionSlots, which: int) -> str:
        """Return a thing as the words name it."""
        colour, noun = (int(part[0, which].argmax()) for part in (slots.colour, slots.noun))
        colours = f"{self._model.config.colours[colour]} " if colour else ""
        return f"{colours}{self._model.config.nouns[noun]}"

    def confidence(self, slots: InstructionSlots) -> float:
        """Return how sure the words are understood: the least sure slot decides."""
        sure = [1 - self.no_task_probability(slots), float(slots.skill.softmax(-1).amax())]
        for which in (0, 1):
            if self.argument_is_named(slots, which):
                sure += [float(p[0, which].softmax(-1).amax()) for p in (slots.colour, slots.noun)]
        return min(sure)
