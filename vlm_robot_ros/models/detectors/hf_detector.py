"""Zero-shot detectors of transformers, and SAM 2.

OWL-ViT and OWLv2 (Minderer et al. 2022, arXiv:2205.06230, and 2023, arXiv:2306.09683), Grounding
DINO (Liu et al. 2023, arXiv:2303.05499), MM Grounding DINO (Zhao et al. 2024, arXiv:2401.02361).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers

from vlm_robot_ros.interfaces.detector import Detection, DetectorError
from vlm_robot_ros.models.detectors.pretrained import load_pretrained

_OWL, _DINO = ("owlvit", "owlv2"), ("grounding-dino", "mm-grounding-dino")
BOX_DETECTORS = (*_OWL, *_DINO)
"""Model types, as config.json has them."""
THRESHOLDS = {**dict.fromkeys(_OWL, 0.1), **dict.fromkeys(_DINO, 0.25)}
"""Scores below which there is nothing, as transformers has them."""


class HfDetector:
    """A detector of transformers."""

    def __init__(self, model: Any, processor: Any, threshold: float, device: str) -> None:
        """Wrap a model.

        Args:
            model: For zero-shot detection.
            processor: Of the model.
            threshold: Score from which something is there.
            device: Where to compute.
        """
        self._model = model.to(device).eval().requires_grad_(False)
        self._processor, self._device = processor, device
        self.threshold = threshold

    @torch.inference_mode()
    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> list[Detection]:
        """Return where phrases may be, the likeliest first.

        Raises:
            DetectorError: it has failed, for example because memory is short.
        """
        if not phrases or not all(phrase.strip() for phrase in phrases):
            raise ValueError(f"phrases are {list(phrases)}; valid: at least one, none empty")
        owl = self._model.config.model_type in _OWL
        try:
            # Scores of Grounding DINO are of words: a phrase at a time, they are of it.
            groups = [list(phrases)] if owl else [[phrase] for phrase in phrases]
            found = [each for group in groups for each in self._detect(image, group, owl)]
        except (RuntimeError, ValueError, IndexError) as error:  # memory, and long phrases
            raise DetectorError(f"the detector failed: {error}") from error
        return sorted(found, key=lambda each: -each.score)

    def _detect(self, image: np.ndarray, phrases: list[str], owl: bool) -> list[Detection]:
        text = [phrases] if owl else phrases[0].lower().rstrip(". ") + "."
        given = self._processor(images=image, text=text, return_tensors="pt").to(self._device)
        out = self._model(**given)
        scores = out.logits[0].sigmoid()  # of each box, for each phrase or word
        scores = scores[:, : len(phrases)] if owl else scores.max(1, keepdim=True).values
        # OWLv2's images are padded to a square before they are resized.
        square = self._model.config.model_type == "owlv2"
        height, width = (max(image.shape[:2]),) * 2 if square else image.shape[:2]
        middle, half = out.pred_boxes[0].split(2, dim=1)[0], out.pred_boxes[0][:, 2:] / 2
        size = torch.tensor([width, height], device=middle.device)
        boxes = torch.cat([(middle - half) * size, (middle + half) * size], 1).cpu().numpy()
        return [
            Detection(phrases[column], boxes[row], float(scores[row, column]))
            for row, column in (scores > self.threshold).nonzero().tolist()
        ]


class HfSegmenter:
    """SAM 2 of transformers (Ravi et al. 2024, arXiv:2408.00714)."""

    def __init__(self, name: str, device: str = "cpu") -> None:
        """Load it: `hf:/folder` or `hf:ORG/NAME`, such as `hf:facebook/sam2.1-hiera-small`.

        Raises:
            DetectorError: it is of another kind, or a file is missing or corrupt; says which.
        """
        library, _, given = name.partition(":")
        if library != "hf" or not given:
            raise DetectorError(f"{name!r} names no segmenter; valid: hf:ORG/NAME or hf:/folder")
        kind = load_pretrained(given, transformers.AutoConfig.from_pretrained).model_type
        if kind not in ("sam2", "sam2_video"):
            raise DetectorError(f"{name} is of type {kind!r}; valid: sam2, sam2_video")
        model = load_pretrained(
            given, transformers.Sam2Model.from_pretrained, use_safetensors=True
        )
        self._model = model.to(device).eval().requires_grad_(False)
        self._processor = load_pretrained(given, transformers.Sam2Processor.from_pretrained)
        self._device = device

    @torch.inference_mode()
    def masks(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Return a mask for each box. Shape (N, H, W), bool.

        Raises:
            DetectorError: it has failed, for example because memory is short.
        """
        if not len(boxes):
            return np.zeros((0, *image.shape[:2]), bool)
        try:
            given = self._processor(
                images=image, input_boxes=[np.asarray(boxes, float).tolist()], return_tensors="pt"
            ).to(self._device)
            out = self._model(**given, multimask_output=False)
            found = self._processor.post_process_masks(
                out.pred_masks.cpu(), given["original_sizes"].cpu()
            )[0]
        except RuntimeError as error:
            raise DetectorError(f"the segmenter failed: {error}") from error
        return found[:, 0].numpy().astype(bool)
