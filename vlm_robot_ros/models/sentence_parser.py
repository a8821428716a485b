"""A network that reads a sentence and writes its meaning as tokens.

The encoder is MiniLM (Wang et al. 2020, arXiv:2002.10957) as pretrained for sentences; a decoder
of two transformer layers writes `language.program_tokens`, each of them only where the grammar
allows it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, ENCODER_LAYERS, FEED_FORWARD = 384, 12, 6, 1536
"""Of MiniLM-L6."""
VOCABULARY_SIZE, MAX_PIECES = 30522, 96
"""Word pieces that the encoder knows, and how many of a sentence it reads."""


@dataclass(frozen=True)
class SentenceParserConfig:
    """Sizes of the decoder, and the tokens that it writes."""

    tokens: tuple[str, ...]
    layers: int = 2
    max_tokens: int = 64
    ahead: int = 0
    """How many tokens after the next one are guessed with it; `TokenWriter` checks the guesses."""


class Attention(nn.Module):
    """Multi-head attention."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def memory(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values. Shape (B, heads, S, width / heads) each."""
        return _heads(self.key(source)), _heads(self.value(source))

    def forward(
        self, x: Tensor, memory: tuple[Tensor, Tensor], mask: Tensor | None = None
    ) -> Tensor:
        """Return what `x`, shape (B, T, width), attends to; `mask` is true where it may."""
        y = F.scaled_dot_product_attention(_heads(self.query(x)), *memory, attn_mask=mask)
        return self.out(y.transpose(1, 2).flatten(2))


def _heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    """A layer of BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.attention_norm = Attention(), nn.LayerNorm(WIDTH, 1e-12)
        self.up, self.down = nn.Linear(WIDTH, FEED_FORWARD), nn.Linear(FEED_FORWARD, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, 1e-12)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the layer's output. Shape (B, S, width)."""
        attended = self.attention(x, self.attention.memory(x), mask)
        x = self.attention_norm(x + self.dropout(attended))
        return self.norm(x + self.dropout(self.down(F.gelu(self.up(x)))))


class SentenceEncoder(nn.Module):
    """MiniLM-L6."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY_SIZE, WIDTH)
        self.positions, self.segments = nn.Embedding(512, WIDTH), nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, 1e-12)
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(ENCODER_LAYERS))

    def forward(self, pieces: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
        """Return what each piece means in its sentence. Shape (B, S, width).

        Args:
            pieces: Numbers of word pieces. Shape (B, S).
            segments: 0 in the first, 1 in the second sentence of a pair. Shape (B, S).
            mask: Where there are pieces, not padding. Shape (B, S), bool.
        """
        places = torch.arange(pieces.shape[1], device=pieces.device)
        x = self.norm(self.words(pieces) + self.positions(places) + self.segments(segments))
        for layer in self.layers:
            x = layer(x, mask[:, None, None])
        return x


class DecoderLayer(nn.Module):
    """A layer that attends to what was written and to the sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.own, self.cross = Attention(), Attention()
        self.up, self.down = nn.Linear(WIDTH, FEED_FORWARD), nn.Linear(FEED_FORWARD, WIDTH)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3))
        self.dropout = nn.Dropout(0.1)

    def forward(
        self,
        x: Tensor,
        sentence: tuple[Tensor, Tensor],
        own_mask: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """Return the layer's output. Shape (B, T, width)."""
        y = self.norms[0](x)
        x = x + self.dropout(self.own(y, self.own.memory(y), own_mask))
        x = x + self.dropout(self.cross(self.norms[1](x), sentence, mask))
        return x + self.dropout(self.down(F.gelu(self.up(self.norms[2](x)))))


class SentenceParserModel(nn.Module):
    """Sentences to tokens."""

    def __init__(self, config: SentenceParserConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = SentenceEncoder()
        self.start = nn.Parameter(torch.zeros(WIDTH))
        self.tokens = nn.Embedding(len(config.tokens), WIDTH)
        self.places = nn.Embedding(config.max_tokens, WIDTH)
        self.layers = nn.ModuleList(DecoderLayer() for _ in range(config.layers))
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, len(config.tokens))
        self.ahead = nn.ModuleList(
            nn.Linear(WIDTH, len(config.tokens)) for _ in range(config.ahead)
        )
        self.part = nn.Linear(WIDTH, 1)
        """Whether a piece is of the words that cannot be done."""
        for embedding in (self.tokens, self.places):
            nn.init.normal_(embedding.weight, std=0.02)

    def decoder_layers(self) -> list[DecoderLayer]:
        """Return the layers of the decoder, the first one first."""
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

    def forward(
        self, pieces: Tensor, segments: Tensor, mask: Tensor, written: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """Return scores of each next token, and whether each piece is an obstacle.

        Args:
            pieces: As `SentenceEncoder.forward` takes them, like the next two. Shape (B, S).
            segments: Shape (B, S).
            mask: Shape (B, S), bool.
            written: Numbers of tokens. Shape (B, T).

        Returns:
            Logits, shape (B, T + 1, tokens), of the token after each place, and of as many after
            that one as are guessed; and logits, shape (B, S).
        """
        sentence = self.encoder(pieces, segments, mask)
        start = self.start.expand(len(pieces), 1, WIDTH)
        x = torch.cat([start, self.tokens(written)], 1)
        x = x + self.places.weight[: x.shape[1]]
        own = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
        for layer in self.decoder_layers():
            x = layer(x, layer.cross.memory(sentence), own, mask[:, None, None])
        x = self.norm(x)
        return [head(x) for head in (self.out, *self.ahead)], self.part(sentence)[..., 0]


def load_pretrained_encoder(model: SentenceParserModel, weights: dict[str, Tensor]) -> None:
    """Take over the weights of MiniLM under the names that BERT has in transformers."""
    names = {
        "embeddings.word_embeddings": "words", "embeddings.position_embeddings": "positions",
        "embeddings.token_type_embeddings": "segments", "embeddings.LayerNorm": "norm",
        "attention.self.query": "attention.query", "attention.self.key": "attention.key",
        "attention.self.value": "attention.value", "attention.output.dense": "attention.out",
        "attention.output.LayerNorm": "attention_norm", "intermediate.dense": "up",
        "output.dense": "down", "output.LayerNorm": "norm",
    }  # fmt: skip
    own = {}
    for key, value in weights.items():
        if key.startswith("pooler") or key.endswith("position_ids"):
            continue
        layer, name = "", key
        if key.startswith("encoder.layer."):
            _, _, number, name = key.split(".", 3)
            layer = f"layers.{number}."
        stem, _, kind = name.rpartition(".")
        own[f"{layer}{names[stem]}.{kind}"] = value
    model.encoder.load_state_dict(own)
