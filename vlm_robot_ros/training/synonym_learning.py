"""New words for a policy, from what a person had to say differently.

"Pick up the ruby cube" was refused, "pick up the red cube" was done. Of all words that the policy
knows "red" is the one that, in the place of "ruby", makes the first sentence say what the second
does. The new word becomes its synonym: in each reader it is embedded as that word is. Nothing else
changes, so nothing is forgotten, and everything said without the new words is read as before, to
the last bit.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.models.grounded.text import InstructionSlots
from vlm_robot_ros.models.tokenizer import Tokenizer, split
from vlm_robot_ros.policies.grounded.instruction_parser import InstructionParser

_CLEAR = 0.7
"""How likely a sentence must say with a word what it was to say, for the word to be learned."""
_NEARLY = 0.95
"""Words that are nearly as likely as the best are as good, if people said them."""
_FILLER = "please"
"""What words are like without which the sentence says the same."""


Lesson = tuple[str, str]
"""What was said and not understood, and what was meant."""


@dataclass(frozen=True)
class SynonymResult:
    """What came of a word."""

    word: str
    similar_to: str
    """The known word that it is a synonym of; empty when it is not learned."""
    confidence: float
    """How likely its sentences say, with that word, what they were to say, 0 to 1."""
    lessons: int
    refusal: str = ""


@torch.no_grad()
def learn_synonyms(
    model: VisionLanguageRobotModel, lessons: Sequence[Lesson], at_least: int = 2
) -> tuple[VisionLanguageRobotModel, list[SynonymResult]]:
    """Return a model that knows the words of lessons that it did not know, and what was learned.

    Args:
        model: Stays as it is.
        lessons: In any order.
        at_least: How many different lessons a word needs; one more to be ignored, for a word
            may turn round what the others say.

    Raises:
        ValueError: `int_at_least` is below 1.
    """
    if at_least < 1:
        raise ValueError(f"a word needs at least one lesson, not {at_least}")
    tokenizer, words = Tokenizer(model.config.vocabulary), InstructionParser(model, "cpu")
    lessons = [
        (said, meant)
        for said, meant in dict.fromkeys(lessons)
        if tokenizer.unknown(said) and not words.problem(meant, words.read(meant), False)
    ]
    news = list(dict.fromkeys(word for said, _ in lessons for word in tokenizer.unknown(said)))
    of = {new: [lesson for lesson in lessons if new in split(lesson[0])] for new in news}
    known: dict[str, SynonymResult] = {}
    while True:  # a word that is learned may make others clear
        synonyms = {new: found.similar_to for new, found in known.items()}
        found = {}
        for new in news:
            clear = [each for each in of[new] if _alone(tokenizer, each[0], new, synonyms)]
            if new not in known and len(clear) >= at_least:
                found[new] = _compare(model, new, clear, synonyms, at_least)
        fresh = {new: each for new, each in found.items() if each.similar_to}
        if not fresh:
            break
        known |= fresh
    learned = [
        known.get(new) or found.get(new) or _too_few(new, of[new], at_least) for new in news
    ]
    return _extended(model, {new: found.similar_to for new, found in known.items()}), learned


def _alone(tokenizer: Tokenizer, said: str, new: str, synonyms: Mapping[str, str]) -> bool:
    """Tell whether a word is the only one of a sentence that is not known."""
    return all(word == new or word in synonyms for word in tokenizer.unknown(said))


def _too_few(new: str, lessons: Sequence[Lesson], at_least: int) -> SynonymResult:
    why = f"{len(lessons)} lessons, at least {at_least} wanted with no other new word"
    return SynonymResult(new, "", 0.0, len(lessons), why)


def _compare(
    model: VisionLanguageRobotModel,
    new: str,
    lessons: Sequence[Lesson],
    synonyms: Mapping[str, str],
    at_least: int,
) -> SynonymResult:
    """Return which known word a new one is like, if it is clear."""
    tokenizer, vocabulary = Tokenizer(model.config.vocabulary), model.config.vocabulary
    others, sure = ("", *vocabulary), torch.zeros(1 + len(vocabulary))
    people_said: Counter[str] = Counter()
    for said, meant in lessons:
        texts = [
            " ".join(synonyms.get(word, other if word == new else word) for word in split(said))
            for other in others
        ]
        read = model.text(torch.tensor([tokenizer(text) for text in texts]))
        sure += _similarity(read, model.text(torch.tensor([tokenizer(meant)]))).log()
        people_said.update(set(split(meant)))
    sure = (sure / len(lessons)).exp()
    if sure[0] >= _CLEAR and _FILLER in vocabulary:
        how = float(sure[0])
        if len(lessons) > at_least:
            return SynonymResult(new, _FILLER, how, len(lessons))
        why = f"it seems to say nothing; to ignore a word takes {at_least + 1} lessons"
        return SynonymResult(new, "", how, len(lessons), why)
    sure = sure[1:]
    good = [at for at, how in enumerate(sure.tolist()) if how >= _NEARLY * float(sure.max())]
    best = max(good, key=lambda at: (people_said[vocabulary[at]], float(sure[at])))
    how, like = float(sure[best]), vocabulary[best]
    if how < _CLEAR:
        return SynonymResult(new, "", how, len(lessons), f"it is not clear: at best like '{like}'")
    return SynonymResult(new, like, how, len(lessons))


def _similarity(read: InstructionSlots, meant: InstructionSlots) -> torch.Tensor:
    """Return how likely sentences say what one says that is meant. Shape (B,)."""
    sure = (-read.reject).sigmoid()
    for name in ("skill", "colour", "noun"):
        wanted = getattr(meant, name).argmax(-1)
        likely = getattr(read, name).softmax(-1)
        each = likely.gather(-1, wanted.expand(len(likely), *wanted.shape[1:])[..., None])
        sure = sure * each.flatten(1).prod(1)
    return sure


def _extended(
    model: VisionLanguageRobotModel, synonyms: Mapping[str, str]
) -> VisionLanguageRobotModel:
    """Return a model with more words, each embedded as the known one that it is like."""
    vocabulary = model.config.vocabulary
    words = {f"text.readers.{n}.embedding.weight" for n in range(model.config.readers)}
    rows = [2 + vocabulary.index(like) for like in synonyms.values()]  # after padding, unknown
    state = {
        name: torch.cat([weight, weight[rows]]) if name in words else weight
        for name, weight in model.state_dict().items()
    }
    larger = VisionLanguageRobotModel(replace(model.config, vocabulary=(*vocabulary, *synonyms)))
    larger.load_state_dict(state)
    return larger.eval()
