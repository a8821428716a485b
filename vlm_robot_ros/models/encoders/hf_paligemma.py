"""PaliGemma of transformers (Beyer et al., 2024), as an encoder."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from vlm_robot_ros.models.encoders.base import (
    Encoder,
    EncoderError,
    ImageFeatures,
    TextFeatures,
    l2_normalize,
)
from vlm_robot_ros.models.encoders.preprocess import Preprocess

_TASK = "caption en\n"
"""What it is asked before a phrase, as its training did."""


class PaliGemmaEncoder(Encoder):
    """A language model that reads an image's patches before its words.

    It has no space that images and phrases share: how well a phrase goes with an image is how
    likely it is as the image's caption, the mean over its tokens. `ImageFeatures.embedding` and
    `TextFeatures.embedding` are means over tokens, and are not to be compared.
    """

    def __init__(self, model: Any, tokenizer: Any, preprocess: Preprocess) -> None:
        """Wrap a PaliGemmaForConditionalGeneration."""
        super().__init__()
        self.model = model.eval()
        self._tokenizer = tokenizer
        self.preprocess = preprocess
        vision = model.config.vision_config
        side = vision.image_size // vision.patch_size
        self._grid = (side, side)

    def encode_image(self, pixels: Tensor) -> ImageFeatures:
        """Encode images that `preprocess` has prepared, shape (B, 3, H, W)."""
        tokens = self.model.get_image_features(pixels).pooler_output
        return ImageFeatures(tokens, self._grid, l2_normalize(tokens.mean(1))[:, None])

    def encode_text(self, sentences: Sequence[str]) -> TextFeatures:
        """Encode sentences, of no image."""
        start = self._tokenizer.bos_token
        ids, mask = self._ids([f"{start}{sentence}\n" for sentence in sentences])
        language = self.model.model.language_model
        tokens = language(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        weights = mask[..., None].to(tokens.dtype)
        return TextFeatures(
            tokens, mask.bool(), l2_normalize((tokens * weights).sum(1) / weights.sum(1))
        )

    def zero_shot_head(
        self, phrases: Sequence[str], templates: Sequence[str] = ("{}",)
    ) -> Callable[[ImageFeatures], Tensor]:
        """Return what says how likely phrases are as captions; templates' logits are averaged."""
        texts = [text.replace("{}", phrase) for phrase in phrases for text in templates]
        end = self._tokenizer.eos_token
        ids, mask = self._ids([f"{text}{end}" for text in texts])
        task, _ = self._ids([f"{self._tokenizer.bos_token}{_TASK}"])

        def logits(seen: ImageFeatures) -> Tensor:
            each = [self._likelihood(tokens[None], task, ids, mask) for tokens in seen.tokens]
            return torch.stack(each).view(len(each), len(phrases), len(templates)).mean(2)

        return logits

    def scale_and_bias(self) -> tuple[Tensor | float, Tensor | float]:
        """Raise EncoderError: it is `compare` that says how likely a phrase is."""
        raise EncoderError("PaliGemma has no space that images and phrases share")

    def _ids(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return tokens and which of them are no padding, at the right. Shapes (B, L)."""
        batch = self._tokenizer(
            list(texts), add_special_tokens=False, padding=True, padding_side="right",
            return_tensors="pt",
        ).to(self.device)  # fmt: skip
        return batch["input_ids"], batch["attention_mask"]

    def _likelihood(self, patches: Tensor, task: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the mean log-likelihood of captions' tokens.

        Args:
            patches: Of one image. Shape (1, N, D).
            task: What is asked. Shape (1, T).
            ids: The captions, ended. Shape (P, L).
            mask: Of `ids`.

        Returns:
            Shape (P,).
        """
        model, embed = self.model, self.model.get_input_embeddings()
        asked = torch.cat([patches.to(self.dtype), embed(task)], 1)
        # Image and question see each other whole, and are read once for all captions.
        before = model.model(
            inputs_embeds=asked,
            attention_mask=asked.new_ones(asked.shape[:2], dtype=torch.long),
            token_type_ids=task.new_zeros(asked.shape[:2]),
            use_cache=True,
        )
        cache = before.past_key_values
        cache.batch_repeat_interleave(len(ids))
        length = asked.shape[1]
        after = model.model(
            inputs_embeds=embed(ids),
            attention_mask=torch.cat([mask.new_ones(len(ids), length), mask], 1),
            position_ids=torch.arange(length + 1, length + 1 + ids.shape[1])[None].to(ids.device),
            past_key_values=cache,
        )
        last = before.last_hidden_state[:, -1:].expand(len(ids), -1, -1)
        hidden = torch.cat([last, after.last_hidden_state[:, :-1]], 1)
        logits = model.lm_head(hidden).float()
        cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
        if cap is not None:
            logits = torch.tanh(logits / cap) * cap
        chosen = logits.log_softmax(-1).gather(2, ids[..., None])[..., 0]
        return (chosen * mask).sum(1) / mask.sum(1)
