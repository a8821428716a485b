"""BLIP-2 of transformers (Li et al., 2023), as an encoder."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vlm_robot_ros.models.encoders.base import Encoder, ImageFeatures, TextFeatures, l2_normalize
from vlm_robot_ros.models.encoders.preprocess import Preprocess


class Blip2Encoder(Encoder):
    """The image-text retrieval model: its queries look at the image, the best one counts.

    As transformers gives them, its logits are bare cosines: a temperature well below 1 tells
    phrases apart (0.07 was learned with the weights).
    """

    def __init__(self, model: Any, tokenizer: Any, preprocess: Preprocess) -> None:
        """Wrap a Blip2ForImageTextRetrieval."""
        super().__init__()
        self.model = model.eval()
        self._tokenizer = tokenizer
        self.preprocess = preprocess
        vision, former = model.config.vision_config, model.config.qformer_config
        side = vision.image_size // vision.patch_size
        self._grid = (side, side)
        self._context = former.max_position_embeddings

    def encode_image(self, pixels: Tensor) -> ImageFeatures:
        """Encode images that `preprocess` has prepared, shape (B, 3, H, W)."""
        model = self.model
        tokens = model.vision_model(pixel_values=pixels).last_hidden_state
        asked = model.qformer(
            query_embeds=model.query_tokens.expand(len(tokens), -1, -1),
            encoder_hidden_states=tokens,
            encoder_attention_mask=torch.ones(tokens.shape[:2], device=tokens.device).long(),
        ).last_hidden_state
        embedding = l2_normalize(
            model.vision_projection(asked.to(model.vision_projection.weight.dtype))
        )
        return ImageFeatures(tokens[:, 1:], self._grid, embedding)

    def encode_text(self, sentences: Sequence[str]) -> TextFeatures:
        """Encode sentences; what is longer than the model's context is cut."""
        model = self.model
        batch = self._tokenizer(
            list(sentences), padding=True, truncation=True, max_length=self._context,
            return_tensors="pt",
        ).to(self.device)  # fmt: skip
        mask = batch["attention_mask"]
        tokens = model.qformer(
            query_embeds=model.embeddings(input_ids=batch["input_ids"]),
            query_length=0,
            attention_mask=mask,
        ).last_hidden_state
        first = tokens[:, 0].to(model.text_projection.weight.dtype)
        return TextFeatures(tokens, mask.bool(), l2_normalize(model.text_projection(first)))

    def scale_and_bias(self) -> tuple[Tensor | float, Tensor | float]:
        """Return one and zero."""
        return 1.0, 0.0
