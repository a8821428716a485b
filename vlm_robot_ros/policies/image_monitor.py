"""Images that show nothing: a covered lens, a camera that repeats itself."""

from typing import Any

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import Policy, hold_chunk
from vlm_robot_ros.policies.delta_actions import has_deltas, to_absolute

_BLANK_DEVIATION = 4.0
"""Standard deviation of the brightness below which an image shows nothing, of 255."""
_TOOL_MOTION_M = 0.015
"""Way of the tool on which some pixel must have changed [m]."""
_DEPTH_ROW_STEP = 8
"""Of distances, which are large, only each eighth row is compared."""
_SAMPLED_ROWS = 85
"""Rows and columns, about, of the pixels whose brightness is looked at."""


class ImageMonitor:
    """Tells whether an image can be trusted to show what is there now."""

    def __init__(self) -> None:
        self._last = bytearray()
        self._tool = np.zeros(3)

    def check(self, image: np.ndarray, tool: np.ndarray) -> HoldReason:
        """Return what is wrong with an image, or nothing.

        Args:
            image: Shape (H, W, 3), uint8; distances may be of any shape and type, and blank.
            tool: Where the tool was when it was taken. Shape (3,), [m].
        """
        image = np.ascontiguousarray(
            image if image.dtype == np.uint8 else image[::_DEPTH_ROW_STEP]
        )
        if image.dtype == np.uint8 and self._is_blank(image):
            self._last.clear()
            return HoldReason(HoldCode.INPUT_INVALID, "the image is blank")
        if image.dtype != np.uint8 and not np.isfinite(image).any():
            self._last.clear()
            return MAY_MOVE
        seen = image.data.cast("B")
        if self._last != seen:  # twice as fast as numpy compares
            self._last, self._tool = bytearray(seen), np.array(tool)
            return MAY_MOVE
        moved = float(np.linalg.norm(tool - self._tool))
        if moved < _TOOL_MOTION_M:
            return MAY_MOVE
        text = f"the image is frozen: no pixel changed while the tool moved {moved:.2f} m"
        return HoldReason(HoldCode.INPUT_FROZEN, text)

    def _is_blank(self, image: np.ndarray) -> bool:
        step = max(1, min(image.shape[:2]) // _SAMPLED_ROWS)
        # Red, green and blue by turns: six times as fast as all of each pixel.
        return (
            float(image.reshape(len(image), -1)[::step, :: 3 * step + 1].std()) < _BLANK_DEVIATION
        )


_HOLD_DURATION_S = 0.1
"""How long a hold lasts if no other plan comes [s]."""


class ImageGuard:
    """Acts as the policy within, and holds when an image cannot be trusted.

    Changes of positions that the policy answers are added up: see `to_absolute`.
    """

    def __init__(self, policy: Policy) -> None:
        self.within = policy
        self._watches: dict[str, ImageMonitor] = {}

    def __getattr__(self, name: str) -> Any:
        """Return what else the policy within has."""
        return getattr(self.within, name)

    def reset(self) -> None:
        """Forget the images, and let the policy within forget."""
        self._watches.clear()
        self.within.reset()

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the plan of the policy within, or a hold that says what is wrong."""
        for name, image in observation.images.items():
            watch = self._watches.setdefault(name, ImageMonitor())
            if problem := watch.check(image, _pose_of_arm(name, observation)[:3]):
                reason = HoldReason(problem.code, f"{name} camera: {problem}")
                return hold_chunk(observation, _HOLD_DURATION_S, reason)
        chunk = self.within.infer(observation)
        return to_absolute(chunk, observation) if has_deltas(chunk) else chunk


def _pose_of_arm(camera: str, observation: Observation) -> np.ndarray:
    """Return the tool pose of the arm whose name begins a camera's, else of the first arm."""
    named = (arm.pose for name, arm in observation.others.items() if camera.startswith(f"{name}_"))
    return next(named, observation.pose)
