"""Policies of transfers, with what they see by."""

from pathlib import Path

from vlm_robot_ros.models.checkpoint import CheckpointError, load_model
from vlm_robot_ros.models.transfer.model import TransferModel
from vlm_robot_ros.policies.sentence_parsing import load_sentence_parser
from vlm_robot_ros.policies.transfer.policy import TransferPolicy
from vlm_robot_ros.policies.transfer.scene_perception import ScenePerception
from vlm_robot_ros.robot.config import RobotConfig


def load_transfer_policy(
    checkpoint: Path,
    robot: RobotConfig,
    device: str,
    parser: str | Path = "",
    detector: str = "",
    segmenter: str = "",
) -> TransferPolicy:
    """Load a checkpoint of transfers.

    Args:
        checkpoint: The folder.
        robot: That is to act.
        device: Where to compute.
        parser: Of sentences: see `load_sentence_parser`.
        detector: Of phrases: see `load_detector`; the checkpoint's own if not given.
        segmenter: Beside a detector: see `HfSegmenter`.

    Raises:
        CheckpointError: it is missing or corrupt, or does not fit the robot.
        ValueError: the parser is none for it, the detector cannot be loaded, or the robot has no
            depth camera for it.
    """
    reader = load_sentence_parser(parser)
    if reader is None:
        raise ValueError(
            f"parser is '{parser}', and '{checkpoint}' has no words of its own; valid: a folder "
            "of `vlm-robot train-parser`, or nothing"
        )
    model = load_model(checkpoint)
    if not isinstance(model, TransferModel):
        raise CheckpointError(f"'{checkpoint}' is no checkpoint of transfers")
    scene: ScenePerception
    if detector:
        from vlm_robot_ros.interfaces.detector import DetectorError
        from vlm_robot_ros.models.detectors.hf_detector import HfSegmenter
        from vlm_robot_ros.models.detectors.loading import load_detector
        from vlm_robot_ros.policies.transfer.background_scene import BackgroundScene
        from vlm_robot_ros.policies.transfer.open_scene import OpenScene

        try:
            finds = load_detector(detector, device)
            tells = HfSegmenter(segmenter, device) if segmenter else None
        except DetectorError as error:
            raise ValueError(str(error)) from error
        scene = BackgroundScene(OpenScene(finds, robot, reader, tells))
    elif segmenter:
        raise ValueError(f"segmenter is '{segmenter}' without a detector; valid: with one")
    else:
        from vlm_robot_ros.policies.transfer.learned_scene import LearnedScene

        scene = LearnedScene(model, checkpoint, robot, device, reader)
    return TransferPolicy(model.head, scene, robot, device)
