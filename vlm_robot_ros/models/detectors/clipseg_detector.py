"""Heat maps of CLIP's patches: CLIPSeg (Lueddecke and Ecker 2022, arXiv:2112.10003)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from vlm_robot_ros.interfaces.detector import Detection, DetectorError

THRESHOLD = 0.4
"""Probability from which a pixel shows what a phrase names."""
_LEAST_PART = 0.0005
"""Part of the image that a patch of such pixels covers at least."""


class ClipSegDetector:
    """Finds phrases where CLIPSeg's heat map is high; each patch of it is one thing."""

    def __init__(self, model: Any, processor: Any, threshold: float, device: str) -> None:
        """Wrap a model.

        Args:
            model: `CLIPSegForImageSegmentation`.
            processor: Of the model.
            threshold: Probability from which a pixel shows a phrase.
            device: Where to compute.
        """
        self._model = model.to(device).eval().requires_grad_(False)
        self._processor, self._device = processor, device
        self.threshold = threshold

    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> list[Detection]:
        """Return where phrases may be, with masks, the likeliest first.

        Raises:
            DetectorError: it has failed, for example because memory is short.
        """
        if not phrases or not all(phrase.strip() for phrase in phrases):
            raise ValueError(f"phrases are {list(phrases)}; valid: at least one, none empty")
        try:
            heats = self.heatmaps(image, phrases)
        except (RuntimeError, ValueError, IndexError) as error:  # memory, and long phrases
            raise DetectorError(f"the detector failed: {error}") from error
        found = []
        for phrase, heat in zip(phrases, heats, strict=True):
            patches, count = ndimage.label(heat >= self.threshold)
            for number, (rows, columns) in enumerate(ndimage.find_objects(patches), 1):
                mask = patches == number
                if count and mask.mean() >= _LEAST_PART:
                    box = np.array([columns.start, rows.start, columns.stop, rows.stop], float)
                    found.append(Detection(phrase, box, float(heat[mask].max()), mask))
        return sorted(found, key=lambda each: -each.score)

    @torch.inference_mode()
    def heatmaps(self, image: np.ndarray, phrases: Sequence[str]) -> np.ndarray:
        """Return the probability that a pixel shows a phrase. Shape (N, H, W)."""
        given = self._processor(
            text=list(phrases), images=[image] * len(phrases), padding=True, return_tensors="pt"
        ).to(self._device)
        logits = self._model(**given).logits.view(len(phrases), 1, *self._side())
        large = F.interpolate(logits, image.shape[:2], mode="bilinear", align_corners=False)
        heats: np.ndarray = large[:, 0].sigmoid().float().cpu().numpy()
        return heats

    def _side(self) -> tuple[int, int]:
        size = self._processor.image_processor.size
        return int(size["height"]), int(size["width"])
