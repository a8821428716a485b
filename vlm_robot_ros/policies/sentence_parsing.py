"""What sentences mean, by a trained network or by another parser with the same methods."""

from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from vlm_robot_ros.language.interpretation import Interpretation
from vlm_robot_ros.language.program_tokens import END, MAX_TOKENS, decode, next_tokens
from vlm_robot_ros.models.sentence_parser import TokenWriter
from vlm_robot_ros.models.sentence_parser_files import load_parser, to_pieces


class ParsedSentence(NamedTuple):
    """What a parser makes of a sentence."""

    meaning: Interpretation
    confidence: float
    """Probability that the meaning is this one, 0 to 1."""
    unknown_words: tuple[str, str] = ("", "")
    """Words of no known meaning that may tell target and reference, of parsers that know words."""


class SentenceParser(Protocol):
    """Any parser of sentences."""

    def parse(self, text: str, after: str = "") -> ParsedSentence:
        """Return what a sentence means, said after another one or after none."""


class LearnedSentenceParser:
    """The parser that `vlm-robot train` makes."""

    def __init__(self, checkpoint: Path) -> None:
        """Load a checkpoint folder.

        Raises:
            CheckpointError: it is missing or corrupt.
        """
        self._model, self._pieces = load_parser(checkpoint)
        tokens = self._model.config.tokens
        self._number = {token: number for number, token in enumerate(tokens)}

    @torch.inference_mode()
    def parse(self, text: str, after: str = "") -> ParsedSentence:
        """Return what a sentence means, said after another one or after none."""
        pieces, segments, mask, encodings = to_pieces(
            self._pieces, [(after, text) if after else text]
        )
        writer = TokenWriter(self._model, pieces, segments, mask)
        tokens: list[str] = []
        last, log_probability = None, 0.0
        while len(tokens) < MAX_TOKENS:
            scores = writer.scores(last).log_softmax(-1)
            # Skills of other packages are not among the tokens that it learned.
            allowed = [token for token in next_tokens(tokens) if token in self._number]
            numbers = torch.tensor([self._number[token] for token in allowed])
            best = int(scores[numbers].argmax())
            last = int(numbers[best])
            log_probability += float(scores[last])
            tokens.append(allowed[best])
            if tokens[-1] == END:
                break
        else:
            return ParsedSentence(Interpretation("unclear"), 0.0)
        own = 1 if after else 0
        inside = [
            offset
            for offset, of, logit in zip(
                encodings[0].offsets, encodings[0].sequence_ids, writer.part.tolist(), strict=True
            )
            if of == own and logit > 0
        ]
        part = text[inside[0][0] : inside[-1][1]] if inside else ""
        has_obstacle = any(token.startswith("obstacle ") for token in tokens)
        meaning = decode(tokens, text, part if has_obstacle else "")
        return ParsedSentence(meaning, float(torch.tensor(log_probability).exp()))
