"""From what the parser makes of a sentence to steps about the things that it names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vlm_robot_ros.language.task_spec import ANY, MISSING, NONE, ObjectReference, TaskSpec
from vlm_robot_ros.policies.sentence_parsing import ParsedSentence
from vlm_robot_ros.policies.transfer.mentions import Mention
from vlm_robot_ros.policies.transfer.thing_steps import NO_THING, ThingReference, ThingStep


def steps_of(
    parsed: ParsedSentence, meaning: Mapping[str, Mention], text: str
) -> tuple[tuple[ThingStep, ...], str]:
    """Return the steps of a sentence and an error text; one of the two is empty.

    Args:
        parsed: What the parser understands, of its own nouns.
        meaning: What these nouns stand for.
        text: The sentence.
    """
    steps, problem = [], _marks_problem(parsed, meaning, text)
    for step in parsed.meaning.steps:
        target = _reference(step.target, meaning)
        reference = _reference(step.reference, meaning)
        problem = problem or _problem(step, target, reference, text)
        # What is put on a thing that can be carried is stacked, to the parser.
        skill = "put" if step.skill == "stack" else step.skill
        steps.append(ThingStep(skill, target or NO_THING, reference or NO_THING))
    return (() if problem else tuple(_without_fetching(steps))), problem


def _marks_problem(parsed: ParsedSentence, meaning: Mapping[str, Mention], text: str) -> str:
    """Return why a "not" or a "between" of a sentence says nothing; empty if all do."""
    landmarks = {
        thing.landmark.noun
        for step in parsed.meaning.steps for thing in (step.target, step.reference)
        if thing.landmark is not None
    }  # fmt: skip
    for word, mention in meaning.items():
        if (mention.negated or mention.between) and word not in landmarks:
            what = "not" if mention.negated else "between"
            return f"I do not understand '{what}' in '{text}'"
    return ""


def _reference(thing: ObjectReference, meaning: Mapping[str, Mention]) -> ThingReference | None:
    """Return the reference with its own noun; None if the noun is unknown."""
    if thing.noun == NONE:
        return NO_THING
    mention = meaning.get(thing.noun)
    if mention is None or thing.excluded or thing.alternative or thing.colour != ANY:
        return None
    if thing.landmark is None:
        return ThingReference(mention.noun, thing.selector)
    landmark = meaning.get(thing.landmark.noun)
    if landmark is None:
        return None
    if landmark.between:
        around = (landmark.noun, landmark.between)
        return ThingReference(mention.noun, "", "between", around, landmark.negated)
    return ThingReference(mention.noun, "", thing.relation, (landmark.noun,), landmark.negated)


def _without_fetching(steps: Sequence[ThingStep]) -> list[ThingStep]:
    """Return steps without a "pick up" of what the next one puts somewhere.

    Where the thing is to be picked up tells which it is.
    """
    kept: list[ThingStep] = []
    for step in steps:
        before = kept[-1] if kept else None
        is_put = step.skill == "put" or step.skill.startswith("place ")
        if (
            before is not None and before.skill == "pick up" and is_put
            and before.target.noun == step.target.noun and step.reference.noun
            and not step.target.relation
        ):  # fmt: skip
            tells = before.target.relation or before.target.selector
            kept[-1] = replace(step, target=before.target if tells else step.target)
        else:
            kept.append(step)
    return kept


def _problem(
    step: TaskSpec,
    target: ThingReference | None,
    reference: ThingReference | None,
    text: str,
) -> str:
    for thing, found in ((step.target, target), (step.reference, reference)):
        if thing.noun == MISSING:
            return f"'{text}' does not say all that is needed to {step.skill}"
        if found is None:
            return f"I do not know what '{text}' is about"
        if found.selector in ("other", "middle"):
            return f"I cannot tell which {found.noun} is the {found.selector} one"
    if step.amount:
        return f"I do not put things somewhere by an amount, as '{text}' says"
    return ""
