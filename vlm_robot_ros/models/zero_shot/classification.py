"""Zero-shot scores: which of some phrases an image shows, or none of them.

After CLIP (Radford et al., 2021): phrases are put into prompt templates, whose embeddings are
averaged, and compared with the image's.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vlm_robot_ros.file_limits import read_json
from vlm_robot_ros.models.encoders.base import Encoder

BACKGROUND = ("a photo", "an image of something else", "an empty scene")
"""What an image of none of the phrases is compared with."""


@dataclass(frozen=True)
class ScoreCalibration:
    """How logits become probabilities that can be believed; see `fit`."""

    temperature: float = 1.0
    """What logits are divided by: more than 1 makes less sure."""
    none_bias: float = 0.0
    """Added to the logit of "none of these"."""

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @staticmethod
    def load(path: Path) -> "ScoreCalibration":
        """Read it.

        Raises:
            ValueError: the file holds none.
        """
        try:
            made = ScoreCalibration(**{k: float(v) for k, v in read_json(path).items()})
        except (json.JSONDecodeError, AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"'{path}' is no calibration: {error}; valid: "
                '{"temperature": 1.0, "none_bias": 0.0}'
            ) from error
        if not (0 < made.temperature < math.inf and math.isfinite(made.none_bias)):
            raise ValueError(
                f"'{path}' has {made}; temperature must be above 0, and both must be finite"
            )
        return made


class Scorer:
    """Scores images against phrases that are encoded once."""

    def __init__(
        self,
        encoder: Encoder,
        phrases: Sequence[str],
        templates: Sequence[str] = ("{}",),
        calibration: ScoreCalibration = ScoreCalibration(),
        none: bool = True,
    ) -> None:
        """Encode the phrases.

        Args:
            encoder: See `encoders.load`.
            phrases: What an image may show.
            templates: Prompts with {} for the phrase, as in "a photo of {}".
            calibration: Of this encoder, for such images.
            none: Whether an image may show none of them; without, the scores are the model's own.

        Raises:
            ValueError: no phrase, an empty one, one given twice, or a template without {}.
        """
        _check(phrases, templates)
        self._none = none
        self.encoder, self.phrases, self.calibration = encoder, tuple(phrases), calibration
        with torch.inference_mode():
            self._compare = encoder.zero_shot_head(phrases, templates)
            self._background = encoder.zero_shot_head(BACKGROUND)

    @torch.inference_mode()
    def logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the phrases and of none of them, before calibration.

        Args:
            images: Shape (B, H, W, 3), uint8 RGB.

        Returns:
            Shapes (B, P) and (B,).
        """
        encoder = self.encoder
        pixels = encoder.preprocess(images.to(encoder.device))
        seen = encoder.encode_image(pixels.to(encoder.dtype))
        none = self._background(seen).amax(1)
        return self._compare(seen), none if self._none else none - torch.inf

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of each phrase and of none of them.

        Args:
            images: Shape (B, H, W, 3), uint8 RGB.

        Returns:
            Shapes (B, P) and (B,). They sum to one, or, for an encoder whose pairs are independent
            (SigLIP), each phrase has its own.
        """
        return probabilities(*self.logits(images), self.calibration, self.encoder.independent)


def probabilities(
    phrases: Tensor, none: Tensor, calibration: ScoreCalibration, independent: bool
) -> tuple[Tensor, Tensor]:
    """Return the probabilities of phrases, shape (B, P), and of none of them, shape (B,).

    Args:
        phrases: Logits. Shape (B, P).
        none: Logits of none. Shape (B,).
        calibration: How sure to be.
        independent: Whether each phrase is true or false by itself.
    """
    phrases, none = phrases / calibration.temperature, none / calibration.temperature
    if independent:
        own = torch.sigmoid(phrases - calibration.none_bias)
        return own, (1 - own).prod(-1)
    row = torch.cat([phrases, none[:, None] + calibration.none_bias], -1).softmax(-1)
    return row[:, :-1], row[:, -1]


def fit_calibration(
    phrases: Tensor, none: Tensor, shown: Tensor, independent: bool
) -> ScoreCalibration:
    """Return the calibration under which labelled images are most likely.

    After Guo et al. (2017), with a second parameter for "none of these".

    Args:
        phrases: Logits of images. Shape (B, P).
        none: Logits of none. Shape (B,).
        shown: Which phrase each shows, -1 for none. Shape (B,).
        independent: As in `probabilities`.

    Raises:
        ValueError: no image shows a phrase, or none shows none.
    """
    if not (shown >= 0).any() or not (shown < 0).any():
        raise ValueError("to calibrate, images of some phrase and images of none are needed")
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    phrases, none = phrases.double(), none.double()
    answer = torch.where(shown < 0, phrases.shape[1], shown)
    truth = F.one_hot(answer, phrases.shape[1] + 1)[:, :-1].double()
    # A weak prior keeps a set that is told apart without error from being infinitely sure.
    optimizer = torch.optim.LBFGS(
        [log_temperature, bias], max_iter=200, line_search_fn="strong_wolfe"
    )

    def miss() -> Tensor:
        optimizer.zero_grad()
        scaled, rest = phrases / log_temperature.exp(), none / log_temperature.exp()
        if independent:
            wrong = F.binary_cross_entropy_with_logits(scaled - bias, truth)
        else:
            wrong = F.cross_entropy(torch.cat([scaled, rest[:, None] + bias], 1), answer)
        total = wrong + (0.01 * log_temperature.square() + 0.0001 * bias.square()) / len(answer)
        total.backward()
        return total

    optimizer.step(miss)
    return ScoreCalibration(float(log_temperature.detach().exp()), float(bias.detach()))


def _check(phrases: Sequence[str], templates: Sequence[str]) -> None:
    if not phrases or not all(phrase.strip() for phrase in phrases):
        raise ValueError(f"phrases are {list(phrases)}; give one or more, none of them empty")
    if len(set(phrases)) < len(phrases):
        raise ValueError(f"phrases are {list(phrases)}; give each once")
    if not templates or not all("{}" in template for template in templates):
        raise ValueError(f"templates are {list(templates)}; each must hold {{}} for the phrase")
