"""What a stereo depth camera makes of distances: noise, steps, and holes.

Errors grow with the square of the distance, as those of a stereo camera do: of a D435 with a base
of 5 cm and a focal length of 420 px, whose disparities are known to 0.08 px.
"""

import numpy as np
from scipy import ndimage

_FOCAL_PX, _BASE_M, _DISPARITY_PX, _STEP_PX = 420.0, 0.05, 0.08, 1 / 32
_ALIKE_PX = 1.5
"""How far errors of neighbouring pixels are alike [px]."""
_EDGE_M, _SHADOW_PX = 0.03, 2
"""Two neighbouring pixels that differ by more are an edge [m]; the camera measures nothing within
so many pixels of one."""
_HOLES, _HOLE_PX = 0.0004, 2
"""Part of the pixels around which nothing is known, and how far around [px]."""


def stereo_noise(distances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return distances as such a camera measures them; NaN where it measures nothing.

    Args:
        distances: Along the optical axis. Shape (H, W), [m].
        rng: Draws the errors.
    """
    error = ndimage.gaussian_filter(rng.normal(size=distances.shape), _ALIKE_PX)
    error *= _DISPARITY_PX / error.std()
    disparity = _FOCAL_PX * _BASE_M / distances + error
    disparity = np.round(disparity / _STEP_PX) * _STEP_PX
    measured = _FOCAL_PX * _BASE_M / disparity.clip(_STEP_PX)
    edges = np.zeros(distances.shape, bool)
    edges[:, 1:] = np.abs(np.diff(distances, axis=1)) > _EDGE_M
    shadow = ndimage.binary_dilation(edges, np.ones((1, 2 * _SHADOW_PX + 1)))
    holes = ndimage.binary_dilation(rng.random(distances.shape) < _HOLES, iterations=_HOLE_PX)
    return np.where(shadow | holes, np.nan, measured).astype(np.float32)
