"""Pictures of what a policy looks at: heat over what the camera sees."""

import numpy as np

from vlm_robot_ros.models.robot_model import Grounding, ModelConfig

_COLOURS = np.array([[255, 60, 40], [40, 120, 255]])
"""Of target and reference."""
_DARK, _STRONG = 0.75, 0.75
_DRAWN = 0.3
"""How likely a thing must be there to be drawn."""


def tint(picture: np.ndarray, heats: list[np.ndarray]) -> np.ndarray:
    """Return a picture, darkened, that turns red and then blue where heats are 1.

    Args:
        picture: Shape (H, W, 3), uint8 RGB.
        heats: 0 to 1; at most two. Shape (H, W) each.
    """
    canvas = picture * _DARK
    for heat, colour in zip(heats, _COLOURS, strict=False):
        strength = heat[..., None] * _STRONG
        canvas = canvas * (1 - strength) + colour * strength
    return canvas.astype(np.uint8)


def overlay(picture: np.ndarray, seen: Grounding | None, config: ModelConfig) -> np.ndarray:
    """Return what a model looks at with both heatmaps over it, red the target's.

    Args:
        picture: The crop. Shape (H, W, 3), uint8 RGB.
        seen: What the model found in it, if it looked; what it did not find is not drawn.
        config: Of the model.
    """
    heats = []
    for which in range(len(_COLOURS)):
        heat = np.zeros(picture.shape[:2])
        if seen is not None and float(seen.present[0, which]) >= _DRAWN:
            tokens = seen.heatmap[0, which].reshape(config.grid).cpu().numpy()
            heat = np.kron(tokens / max(tokens.max(), 1e-9), np.ones((4, 4)))
        heats.append(heat)
    return tint(picture, heats)
