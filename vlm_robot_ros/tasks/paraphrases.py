"""Ways to say one thing, and which of them training hears."""

from typing import NamedTuple


class Paraphrases(NamedTuple):
    """Ways to say one thing."""

    seen: tuple[str, ...]
    """Training hears these; the first is the plain one."""
    held: tuple[str, ...] = ()
    """Held out: other sentences of words that training hears elsewhere."""
    synonyms: tuple[str, ...] = ()
    """Held out: words that training never hears."""

    @property
    def all(self) -> tuple[tuple[str, ...], ...]:
        """All three."""
        return self.seen, self.held, self.synonyms


SEND = Paraphrases(
    ("{v} {o} {d}", "{v} {o} {d}", "{v} {o} {d}", "{v} {d} {o}", "{d} {v} {o}", "{o} {v} it {d}",
     "take {o} and {v} it {d}", "i want {o} {d}", "{o} should go {d}", "{o} must go {d}",
     "make {o} go {d}", "can {o} go {d}", "{d} is where {o} must go", "let {o} go {d}",
     "{o} is what you should {v} {d}", "what you should {v} {d} is {o}",
     "you should {v} {o} {d}", "the thing to {v} {d} is {o}", "you must {v} {o} {d}",
     "{o} is to go {d}", "let me see you {v} {o} {d}", "{d} is where you should {v} {o}",
     "see {o} {v} it {d}", "{v} it {d} i mean {o}", "it is {o} that you should {v} {d}",
     "{o} is the one to {v} {d}", "what i want is {o} {d}", "see {o} and {v} it {d}",
     "go and {v} {o} {d}", "{d} should {o} go", "{d} is what i want for {o}",
     "take {o} {v} it {d}"),
    ("the one to {v} {d} is {o}", "you see {o} now {v} it {d}", "i must see {o} {d}",
     "let me see {o} go {d}", "{o} is the thing to {v} {d}", "go {v} {o} {d}",
     "{d} go and {v} {o}"),
)  # fmt: skip
"""Sentences with a verb {v}, an object and a direction or a place {d}."""
