"""Writing the tokens of one sentence as fast as one core can."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm_robot_ros.models.sentence_parser import HEADS, WIDTH, DecoderLayer, SentenceParserModel


class TokenWriter:
    """Writes the tokens of sentences as `SentenceParserModel.forward` would.

    A token takes as long as the weights take to be read, so that several take hardly longer than
    one: the model guesses the tokens after the next one (Stern et al. 2018, arXiv:1811.03115), and
    the caller keeps the guesses that turn out to be what it chooses. This computes without
    modules and without a batch.
    """

    def __init__(self, model: SentenceParserModel) -> None:
        """Take the weights of a model in evaluation mode."""
        self._model = model
        self._layers = [_WriterLayer(layer) for layer in model.decoder_layers()]

    def read(self, pieces: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
        """Begin with a sentence, without padding. Shapes (1, S).

        Returns:
            Logits that each piece is of the words that cannot be done. Shape (S,).
        """
        sentence = self._model.encoder(pieces, segments, mask)
        for layer in self._layers:
            layer.begin(sentence)
        return self._model.part(sentence)[0, :, 0]

    def write(self, tokens: Sequence[int], begin: int) -> tuple[Tensor, list[list[int]]]:
        """Write tokens from a place on, over what stood there; the empty start is at place 0.

        Args:
            tokens: Numbers of N tokens; without any, the start is written.
            begin: Place of the first of them: all places before were written.

        Returns:
            Logits of what follows each token, shape (N, tokens), or (1, tokens) after the start;
            and for each of them guesses of the tokens after that one.
        """
        model = self._model
        x = model.tokens.weight[list(tokens)] if tokens else model.start[None]
        x = x + model.places.weight[begin : begin + len(x)]
        for layer in self._layers:
            x = layer.step(x, begin)
        x = model.norm(x)
        if not model.ahead:
            return model.out(x), [[] for _ in x]
        guesses = torch.stack([head(x).argmax(-1) for head in model.ahead], 1)
        return model.out(x), guesses.tolist()


class _WriterLayer:
    """A `DecoderLayer` without modules, which keeps what was written."""

    def __init__(self, layer: DecoderLayer) -> None:
        own, cross = layer.own, layer.cross
        parts = (own.query, own.key, own.value)
        self._own = (torch.cat([part.weight for part in parts]).detach(),
                     torch.cat([part.bias for part in parts]).detach())  # fmt: skip
        self._linears = [
            (part.weight.detach(), part.bias.detach())
            for part in (own.out, cross.query, cross.out, layer.up, layer.down)
        ]
        self._norms = [
            (norm.weight.detach(), norm.bias.detach())
            for norm in layer.norms
            if isinstance(norm, nn.LayerNorm)
        ]
        self._cross = cross

    def begin(self, sentence: Tensor) -> None:
        """Take an encoded sentence, shape (1, S, width)."""
        self._keys, self._values = (part[0] for part in self._cross.memory(sentence))
        self._past = self._keys.new_zeros(2, HEADS, 0, WIDTH // HEADS)

    def step(self, x: Tensor, begin: int) -> Tensor:
        """Return the layer's output for tokens from a place on. Shape (N, width)."""
        own_out, query, cross_out, up, down = self._linears
        count = len(x)
        parts = F.linear(self._norm(x, 0), *self._own)
        parts = parts.view(count, 3, HEADS, WIDTH // HEADS).permute(1, 2, 0, 3)
        self._past = torch.cat([self._past[:, :, :begin], parts[1:]], 2)
        may = None
        if count > 1:  # a token sees what is before it, not what is after it
            may = torch.ones(count, begin + count, dtype=torch.bool).tril(begin)
        attended = F.scaled_dot_product_attention(
            parts[0], self._past[0], self._past[1], attn_mask=may
        )
        x = x + F.linear(_joined(attended), *own_out)
        asked = F.linear(self._norm(x, 1), *query).view(count, HEADS, -1).transpose(0, 1)
        attended = F.scaled_dot_product_attention(asked, self._keys, self._values)
        x = x + F.linear(_joined(attended), *cross_out)
        return x + F.linear(F.gelu(F.linear(self._norm(x, 2), *up)), *down)

    def _norm(self, x: Tensor, number: int) -> Tensor:
        return F.layer_norm(x, (WIDTH,), *self._norms[number])


def _joined(heads: Tensor) -> Tensor:
    """Return what heads of shape (heads, N, width / heads) hold as (N, width)."""
    return heads.transpose(0, 1).reshape(-1, WIDTH)
