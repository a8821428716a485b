"""The model of transfers: a detector and an action head that share nothing."""

from torch import nn

from vlm_robot_ros.models.transfer.config import TransferModelConfig
from vlm_robot_ros.models.transfer.scene_detector import SceneDetector
from vlm_robot_ros.models.transfer.transfer_head import TransferHead


class TransferModel(nn.Module):
    """What the policy of transfers has learned."""

    def __init__(self, config: TransferModelConfig) -> None:
        super().__init__()
        self.config = config
        self.detector = SceneDetector(len(config.things), config.width, config.image)
        self.head = TransferHead(config.hidden, config.horizon)

    @property
    def encoder(self) -> None:
        """There is no pretrained encoder."""
        return None
