"""The policy of a checkpoint, whichever kind it is."""

from pathlib import Path

from vlm_robot_ros.contract.robot import Robot
from vlm_robot_ros.models.checkpoint import kind_of
from vlm_robot_ros.policy.base import Policy
from vlm_robot_ros.policy.fusion_policy import FusionPolicy


def load_learned(checkpoint: Path, robot: Robot, device: str = "cpu") -> Policy:
    """Load a checkpoint folder.

    Raises:
        CheckpointError: it is missing or corrupt, or does not fit the robot.
    """
    if kind_of(checkpoint) == "direct":
        from vlm_robot_ros.policy.direct_policy import DirectPolicy  # encoders load slowly

        return DirectPolicy(checkpoint, robot, device)
    return FusionPolicy(checkpoint, device)
