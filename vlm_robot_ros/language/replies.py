"""What the arm answers to a sentence that it does not act on: why it holds, or what it asks."""

from vlm_robot_ros.language.interpretation import Interpretation
from vlm_robot_ros.language.notation import ARGUMENTS
from vlm_robot_ros.language.task_spec import ANY, MISSING, NONE, ObjectReference, TaskSpec
from vlm_robot_ros.tasks.objects import RECEPTACLES

LEAST_CONFIDENCE, LEAST_CONFIDENCE_OF_STEPS = 0.6, 0.8
"""Below the first a sentence is not acted on, below the second a command of several steps is not;
chosen by sentences that the training leaves out."""
_IDLE = {
    "question": "is a question; I only carry out commands",
    "statement": "asks for nothing",
    "prohibition": "says what not to do",
    "condition": "has a condition that I cannot check",
    "stop": "is a stop",
    "pause": "asks me to wait",
    "resume": "asks me to go on; there is nothing to go on with",
    "unclear": "asks for nothing that I know how to do",
}
_OBSTACLE = {
    "unknown action": "I do not know how to do '{part}'",
    "unknown object": "I do not know what '{part}' is",
    "unknown place": "I do not know the place '{part}'",
    "every object": "I cannot do '{part}': I only handle things that are named one by one",
}
_ARM = {"open": "open the gripper", "close": "close the gripper", "home": "go home"}
_ASK_WAY = {
    "push ?": "Which way shall I push {target}: left, right, away or closer?",
    "place ?": "Shall I place {target} left of, right of, in front of or behind {reference}?",
    "turn ?": "Which way shall I turn {target}: left or right?",
}


def why_hold(meaning: Interpretation, text: str, confidence: float = 1.0) -> str:
    """Return why a sentence cannot be acted on, or nothing.

    Args:
        meaning: What it means.
        text: The sentence.
        confidence: How sure that is, 0 to 1.
    """
    if meaning.act not in ("command", "correction"):
        return f"'{text}' {_IDLE[meaning.act]}"
    if meaning.obstacle:
        if not meaning.part:
            return f"'{text}' asks for something that I cannot do ({meaning.obstacle})"
        return _OBSTACLE[meaning.obstacle].format(part=meaning.part)
    several = meaning.act == "command" and len(meaning.steps) > 1
    if confidence < (LEAST_CONFIDENCE_OF_STEPS if several else LEAST_CONFIDENCE):
        return f"I am not sure what '{text}' asks for"
    return next(filter(None, map(_impossible, meaning.steps)), "")


def what_to_ask(meaning: Interpretation) -> str:
    """Return the question whose answer would settle what a command leaves open, or nothing."""
    return next(filter(None, map(_question, meaning.steps)), "")


def describe_step(step: TaskSpec) -> str:
    """Return a step in plain words: "put the red lemon in the bowl"."""
    target, reference = (describe_object(each) for each in (step.target, step.reference))
    family, _, way = step.skill.partition(" ")
    if step.skill not in ARGUMENTS:  # of a package that is not installed
        words = step.skill
    elif ARGUMENTS[step.skill] == 2 and step.reference.noun == NONE:
        words = f"{family} {target}"
    elif step.skill == "put":
        kind = RECEPTACLES.get(step.reference.noun)
        words = f"put {target} {kind.preposition if kind else 'on'} {reference}"
    elif step.skill == "stack":
        words = f"stack {target} on {reference}"
    elif family == "place":
        link = f"to the {way} of" if way in ("left", "right") else way
        words = f"place {target} {'in front of' if way == 'in front' else link} {reference}"
    elif family in ("push", "turn"):
        words = f"{family} {target} {way}"
    elif step.skill in _ARM:
        words = _ARM[step.skill]
    else:
        words = " ".join([step.skill, *map(describe_object, _things(step))])
    return words + {"": "", "small": " a bit", "large": " a lot"}.get(
        step.amount, f" by {step.amount}"
    )


def describe_object(thing: ObjectReference) -> str:
    """Return a thing in plain words: "the leftmost red cube"."""
    if thing.noun == MISSING:
        return "it"
    noun = "one" if thing.noun == "object" and thing.colour != ANY else thing.noun
    colour = "" if thing.colour == ANY else f"{thing.colour} "
    selector = f"{thing.selector} " if thing.selector else ""
    words = f"the {selector}{colour}{noun}"
    if thing.landmark:
        words += f" {thing.relation} {describe_object(thing.landmark)}"
    if thing.excluded:
        words += f" that is not {describe_object(thing.excluded)}"
    return words + (f" or {describe_object(thing.alternative)}" if thing.alternative else "")


def _things(step: TaskSpec) -> tuple[ObjectReference, ...]:
    return tuple(thing for thing in (step.target, step.reference) if thing.noun != NONE)


def _impossible(step: TaskSpec) -> str:
    things = _things(step)
    if things and things[0].noun in RECEPTACLES:
        return (
            f"I cannot {step.skill.split()[0]} {describe_object(things[0])}: it stays where it is"
        )
    if len(things) == 2 and things[0] == things[1] and things[0].noun not in (MISSING, "object"):
        return f"'{describe_step(step)}' relates {describe_object(things[0])} to itself"
    return ""


def _question(step: TaskSpec) -> str:
    things = _things(step)
    target, reference = (describe_object(each) for each in (step.target, step.reference))
    verb = step.skill.removesuffix(" ?")
    if things and things[0].noun == MISSING:
        return f"What shall I {verb.split()[0] if verb != 'pick up' else verb}?"
    if len(things) == 2 and things[1].noun == MISSING:
        return f"Where shall I {verb.split()[0]} {target}?"
    if step.skill in _ASK_WAY:
        return _ASK_WAY[step.skill].format(target=target, reference=reference)
    for thing in things:
        if thing.alternative:
            first = describe_object(thing).removeprefix("the ")
            return f"The {first}?"
        if thing == ObjectReference(ANY, "object"):
            return f"Which object do you mean, to {describe_step(step)}?"
    return ""
